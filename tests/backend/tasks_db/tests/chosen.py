"""Which of its tests are run, and what in them is measured otherwise.

All are, but for those named here; a name that is none of its tests' any more is an error.
"""

import contextlib
import subprocess
import time
import types
import unittest
import uuid

from django.db import connection
from django.test import TransactionTestCase
from django.test.runner import DiscoverRunner
from django.test.utils import CaptureQueriesContext

from django_tpq.futures.calls import CallId
from django_tpq.main.models import Consumer

LONG = 60
"""Seconds that a process may take to start, or to end."""
MODEL = "of its model: its columns, constraints, indexes or locks"
OPTION = "of an option of its backend's own, which says how ids are made"
COMMAND = "of the options and the words of its command"
QUEUES = "of --queue-name: which queues an executor of ours serves is tested with tables of their own"
LEFT_OUT = {
    "AdminTestCase": "of its admin",
    "ConnectionExclusiveTranscationTestCase": "of SQLite",
    "DBTaskResultOrderingTestCase": MODEL,
    "DatabaseBackendPruneTaskResultsTestCase": "of its command that prunes",
    "DatabaseBackendTestCase.test_custom_id_function": OPTION,
    "DatabaseBackendTestCase.test_database_backend_app_missing": "of its hint, which names its app",
    "DatabaseBackendTestCase.test_index_scan_for_ready": MODEL,
    "DatabaseBackendTestCase.test_postgres_db_id_function": OPTION,
    "DatabaseBackendTestCase.test_postgres_id_function_expression": OPTION,
    "DatabaseBackendTestCase.test_priority_range_check": MODEL,
    "DatabaseBackendTestCase.test_run_after_null_0016_migration": "of one of its migrations",
    "DatabaseBackendTestCase.test_task_name": MODEL,
    "DatabaseBackendTestCase.test_unknown_id_function": OPTION,
    "DatabaseBackendWorkerTestCase.test_complex_return_value": "of json's words; normalize_json has others",
    "DatabaseBackendWorkerTestCase.test_doesnt_process_different_backend": "an executor of ours serves all backends",
    "DatabaseBackendWorkerTestCase.test_doesnt_process_different_queue": QUEUES,
    "DatabaseBackendWorkerTestCase.test_empty_worker_id": COMMAND,
    "DatabaseBackendWorkerTestCase.test_exclude_queues_requires_processing_all_queues": QUEUES,
    "DatabaseBackendWorkerTestCase.test_excluding_unknown_queue_processes_selected_queues": QUEUES,
    "DatabaseBackendWorkerTestCase.test_fractional_interval": COMMAND,
    "DatabaseBackendWorkerTestCase.test_incorrect_backend": COMMAND,
    "DatabaseBackendWorkerTestCase.test_infinite_interval": COMMAND,
    "DatabaseBackendWorkerTestCase.test_max_tasks": COMMAND,
    "DatabaseBackendWorkerTestCase.test_negative_interval": COMMAND,
    "DatabaseBackendWorkerTestCase.test_negative_max_tasks": COMMAND,
    "DatabaseBackendWorkerTestCase.test_process_all_queues": QUEUES,
    "DatabaseBackendWorkerTestCase.test_process_all_queues_excluding_one_queue": QUEUES,
    "DatabaseBackendWorkerTestCase.test_run_after_priority": "of the order of its rows: what was due in the past is "
    "in our line from when it was enqueued",
    "DatabaseBackendWorkerTestCase.test_too_long_worker_id": COMMAND,
    "DatabaseBackendWorkerTestCase.test_unknown_backend": COMMAND,
    "DatabaseBackendWorkerTestCase.test_verbose_logging": COMMAND,
    "DatabaseBackendWorkerTestCase.test_zero_interval": COMMAND,
    "DatabaseBackendWorkerTestCase.test_zero_max_tasks": COMMAND,
    "DatabaseTaskResultTestCase.test_get_locked_with_locked_rows": MODEL,
    "DatabaseTaskResultTestCase.test_lock_no_rows": MODEL,
    "DatabaseTaskResultTestCase.test_locks_tasks": MODEL,
    "DatabaseTaskResultTestCase.test_locks_tasks_filtered": MODEL,
    "DatabaseTaskResultTestCase.test_locks_tasks_filtered_sqlite": "of SQLite",
    "DatabaseTaskResultTestCase.test_locks_tasks_sqlite": "of SQLite",
    "DatabaseWorkerProcessTestCase.test_interrupt_signals": "a worker has a second to start and two to end: ours are "
    "stopped in tests/futures/test_executor_stop.py",
    "DatabaseWorkerProcessTestCase.test_kill": "a killed worker's task stays RUNNING there; ours runs again",
    "DatabaseWorkerProcessTestCase.test_multiple_workers": "of its worker's words",
    "DatabaseWorkerProcessTestCase.test_repeat_ctrl_c": "what its worker leaves has failed there; ours runs again",
}


class Runner(DiscoverRunner):
    """Runs those that are not left out."""

    def build_suite(self, *args, **kwargs):
        suite = super().build_suite(*args, **kwargs)
        _adapt()
        names = {test: test.id().removeprefix("tests.tests.") for test in suite}
        known = set(names.values()) | {name.partition(".")[0] for name in names.values()}
        if strange := sorted(set(LEFT_OUT) - known):
            raise LookupError(f"left out, but not there: {', '.join(strange)}")
        chosen = [test for test in suite if not {names[test], names[test].partition(".")[0]} & set(LEFT_OUT)]
        for test in chosen:
            test.addCleanup(_tidy) if isinstance(test, TransactionTestCase) else None
        return unittest.TestSuite(chosen)


def _tidy():
    """The tests' flush spares our partitions."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tpq_finished")


def _adapt():
    """What it measures of itself is measured of us."""
    from tests import tests as suite

    suite.uuid = types.SimpleNamespace(uuid4=uuid.uuid4, UUID=_own_id)
    suite.subprocess = types.SimpleNamespace(Popen=_Patient, PIPE=subprocess.PIPE, STDOUT=subprocess.STDOUT)
    TransactionTestCase.assertNumQueries = _at_most


def _own_id(text):
    """In place of `uuid.UUID`, whose version it asks for: the form of ids is the backend's own."""
    return types.SimpleNamespace(version=4 if str(CallId.parse(text)) == text else None)


class _Patient(subprocess.Popen):
    """A worker on the tests' database that is given time: a busy machine may take seconds to start an interpreter."""

    def __init__(self, command, *, env, **options):
        environment = env | {"TPQ_TEST_DATABASE": connection.settings_dict["NAME"]}
        super().__init__(command, env=environment, **options)

    def terminate(self):
        deadline = time.monotonic() + LONG
        while not Consumer.objects.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        super().terminate()

    def wait(self, timeout=None):
        return super().wait(None if timeout is None else LONG)


@contextlib.contextmanager
def _at_most(self, number):
    """No more queries than its backend needs, and one: what has finished is in a table of its own."""
    with CaptureQueriesContext(connection) as captured:
        yield captured
    assert len(captured) <= number + 1, [query["sql"] for query in captured]
