"""Its model, over our tables: as much of it as the chosen tests use to look at what the backend has done."""

from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

get_date_max = None


class Calls(QuerySet):
    """The calls in our queue, asked for in its words."""

    def get(self, id):  # noqa: A002 - its name
        return DBTaskResult(id)

    def filter(self, *args, id=None, **kwargs):  # noqa: A002 - its name
        return super().filter(*args, **({"pk": _number(id)} if id else {}), **kwargs)

    def ready(self):
        return self.filter(Q(state="ready") | Q(state="waiting", due_at__lte=Now()))

    def failed(self):
        return self.filter(state="dead")

    def successful(self):
        from django_tpq.futures.models import Finished

        return Finished.objects.all()

    def update(self, *, run_after=None, return_value=None, **told):
        """Put a call off or, where its tests write into a row what a worker would have, let one work."""
        if run_after is not None:
            return super().update(due_at=run_after)
        assert return_value == 42
        assert told["status"] == "SUCCESSFUL"
        return call_command("db_worker", batch=True)

    aupdate = sync_to_async(update)

    def create(self, *, args_kwargs, task_path, backend_name):
        """A call that we have signed and nobody has enqueued: what its path names may be anything."""
        from tests.tasks import noop_task

        from django_tpq.backend.adapter import BackendTask
        from django_tpq.futures.dispatch import insert

        forged = BackendTask(noop_task.using(backend=backend_name))
        forged.name = forged.origin = task_path
        call, _ = insert(forged, args_kwargs["args"], args_kwargs["kwargs"])
        made = DBTaskResult(str(call))
        made.task_path = task_path
        return made


class _Objects:
    def __get__(self, instance, owner):
        from django_tpq.futures.models import CallQueue

        return Calls(CallQueue)


class DBTaskResult:
    """One call."""

    objects = _Objects()

    def __init__(self, id):  # noqa: A002 - its name
        self.id = id
        self.refresh_from_db()

    def refresh_from_db(self):
        row = QuerySet(self.objects.model).get(pk=_number(self.id))
        self.status = {"dead": "FAILED"}.get(row.state, "READY")
        self.traceback = row.error
        self.worker_ids = []

    @property
    def task(self):
        from django_tpq.backend.compat import task_backends

        return task_backends["default"].get_result(self.id).task


def _number(id):  # noqa: A002 - its name
    from django_tpq.futures.calls import CallId

    return CallId.parse(id).number
