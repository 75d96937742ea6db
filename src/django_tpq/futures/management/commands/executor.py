"""`manage.py executor`: run tasks."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings as project
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, OperationalError, router
from django.utils.connection import ConnectionDoesNotExist

from django_tpq.futures import background, pidfile, queues, results
from django_tpq.futures.child import run_child
from django_tpq.futures.colours import show_lines
from django_tpq.futures.commandline import files, positive, seconds, size, up_to
from django_tpq.futures.foreman import Terms
from django_tpq.futures.launch import take_over_databases
from django_tpq.futures.loading import load_tasks
from django_tpq.futures.models import Task
from django_tpq.futures.overview import report
from django_tpq.futures.places import Places
from django_tpq.futures.process import Plan
from django_tpq.futures.reloading import Reloading, end_with
from django_tpq.futures.stranded import report as report_stranded
from django_tpq.futures.stranded import stranded
from django_tpq.futures.supervisor import LAST_RESORT, Supervisor
from django_tpq.futures.worker import run_worker
from django_tpq.main.connections import connect
from tpq.errors import QueueError

CLEAR = (ImproperlyConfigured, ConnectionDoesNotExist, QueueError, psycopg.Error, DatabaseError, OSError)
"""Errors whose text says it all."""

MOST, MOST_COROUTINES = 1000, 100_000
"""How many threads, processes and coroutines can be meant: more is a slip of the keyboard, and no machine takes it."""


class Command(BaseCommand):
    """Run the calls of tasks: in the background, or with -f in the foreground."""

    help = (
        "Runs the calls of tasks. Without -f it goes to the background, with a pid file and a log file; under a "
        "service manager, in a container and in development use -f."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        add = parser.add_argument
        add("-f", "--foreground", action="store_true", help="run in foreground")
        add("-t", "--threads", type=up_to(MOST), default=8, metavar="N",
            help="number of concurrent executor threads, in each process (default: 8)")  # fmt: skip
        add("--workers", type=up_to(MOST), default=Places().workers, metavar="N",
            help="worker processes in each process, for tasks with executor='process' (default: cores)")  # fmt: skip
        add("--coroutines", type=up_to(MOST_COROUTINES), default=Places().coroutines, metavar="N",
            help="calls of coroutine functions at once, in each process (default: 1000)")  # fmt: skip
        add("--processes", type=up_to(MOST), default=1, metavar="N",
            help="number of processes (default: 1)")  # fmt: skip
        add("--queue", action="append", metavar="NAME",
            help="serve this queue of TPQ_QUEUES; may be repeated (default: all in the database)")  # fmt: skip
        add(
            "--database", metavar="ALIAS", help="the database whose queues to serve (default: the calls' own)"
        )
        add("--once", "--drain", dest="drain", action="store_true",
            help="run what is due now, and what that enqueues, in the foreground; then end")  # fmt: skip
        add("--autoreload", action="store_true",
            help="run in foreground, and start anew when the code has changed (for development)")  # fmt: skip
        add("--max-tasks", type=positive, metavar="N",
            help="replace a process, or a worker process, after so many calls")  # fmt: skip
        add("--max-memory", type=size, metavar="SIZE",
            help="replace a process, or a worker process, that has become larger, e.g. 512M; a call that makes its "
            "worker so large is ended")  # fmt: skip
        add("--grace", type=seconds, default=30.0, metavar="SECONDS",
            help="how long running calls may take to end after a stop (default: 30). With --stop: how long it "
            "waits for that; what calls get, the executor that runs was told when it was started")  # fmt: skip
        add("--pidfile", type=Path, metavar="PATH", help="default: executor.pid in the project")
        add(
            "--logfile",
            type=Path,
            metavar="PATH",
            help="of the background; default: executor.log in the project",
        )
        action = parser.add_mutually_exclusive_group()
        action.add_argument("--stop", action="store_true", help="stop the executor of the pid file, and wait")
        action.add_argument("--status", action="store_true", help="show who works and what waits, and end")
        action.add_argument("--check", action="store_true", help="look for queued calls that this release can not run: "
            "unknown tasks, arguments that do not fit; exit with 1 if there are any")  # fmt: skip
        add("--limit", type=positive, metavar="N",
            help="look at the N oldest calls of each queue in a --check (default: at all)")  # fmt: skip
        add("--child", type=files, help=argparse.SUPPRESS)
        add("--worker", type=files, help=argparse.SUPPRESS)
        add("--ready-file", type=int, help=argparse.SUPPRESS)
        add("--parent", type=int, help=argparse.SUPPRESS)

    def execute(self, *args: Any, **options: Any) -> Any:
        """Put Django's checks off until the preflight, whose errors are one line, and then only for a start."""
        self._checks = not options["skip_checks"]
        return super().execute(*args, **options | {"skip_checks": True})

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the options say."""
        try:
            self._handle(options)
        except CLEAR as error:
            raise CommandError(" ".join(str(error).split())) from error

    def _handle(self, options: dict[str, Any]) -> None:
        if options["stop"]:
            return self._stop(options)
        if options["child"] or options["worker"] or options["ready_file"] or options["parent"]:
            take_over_databases()
        alias = options["database"] or router.db_for_read(Task)
        names = _queues(alias, options["queue"])
        show_lines(options)
        if options["worker"]:
            sys.exit(run_worker(options["worker"], alias))
        if options["child"]:
            sys.exit(_child(alias, names, options))
        if options["status"]:
            return self._status(alias, names, options)
        _preflight(alias, names)
        if options["check"]:
            return self._stranded(alias, names, options["limit"])
        if self._checks:
            self.check()
        if options["autoreload"]:
            sys.exit(_reloading(options))
        if options["foreground"] or options["drain"]:
            if code := self._supervise(alias, names, options):
                sys.exit(code)
            return None
        return self._detach(options)

    def _supervise(self, alias: str, names: Sequence[str], options: dict[str, Any]) -> int:
        plan = Plan(
            alias=alias,
            queues=names,
            places=_places(options),
            processes=options["processes"],
            grace=options["grace"],
            drain=options["drain"],
            max_tasks=options["max_tasks"],
            max_memory=options["max_memory"],
            options=[f"--verbosity={options['verbosity']}", *_colours(options)],
        )
        if options["parent"]:
            end_with(options["parent"])
        if options["drain"] or (
            options["foreground"] and not options["pidfile"] and not options["ready_file"]
        ):
            return Supervisor(plan, lambda: self._ready(options)).run()
        try:
            with pidfile.held(_pid_file(options)):
                return Supervisor(plan, lambda: self._ready(options)).run()
        except pidfile.PidFileTaken as error:
            raise CommandError(str(error)) from None

    def _ready(self, options: dict[str, Any]) -> None:
        logging.getLogger("django_tpq.executor").info("executor %s is ready", os.getpid())
        if options["ready_file"]:
            os.write(options["ready_file"], b"ready\n")
            os.close(options["ready_file"])

    def _detach(self, options: dict[str, Any]) -> None:
        pid_file = _pid_file(options)
        if pid := pidfile.owner(pid_file):
            raise CommandError(f"an executor runs already (pid {pid}, {pid_file})")
        log = options["logfile"] or _in_project("executor.log")
        try:
            pid = background.start([*_arguments(options), f"--pidfile={pid_file}"], log)
        except background.StartFailed as error:
            raise CommandError(f"the executor did not start: {error} (see {log})") from None
        self.stdout.write(f"executor started, pid {pid}, log {log}; `executor --stop` ends it")

    def _stop(self, options: dict[str, Any]) -> None:
        pid_file = _pid_file(options)
        patience = options["grace"] + LAST_RESORT + 5
        stopped = background.stop(pid_file, patience)
        if stopped is None:
            raise CommandError(f"no executor runs ({pid_file})")
        if not stopped:
            raise CommandError(
                f"the executor of {pid_file} was told to stop, but has not ended within {patience:g} s: its calls may "
                "still take as long as the --grace says that it was started with. It ends by itself; another --stop "
                "ends it at once"
            )
        self.stdout.write("executor stopped")

    def _stranded(self, alias: str, names: Sequence[str], limit: int | None) -> None:
        load_tasks()
        found, seen = stranded(alias, names, limit)
        for line in report_stranded(found, seen):
            self.stdout.write(line)
        if found:
            sys.exit(1)

    def _status(self, alias: str, names: Sequence[str], options: dict[str, Any]) -> None:
        pid = pidfile.owner(_pid_file(options))
        self.stdout.write(f"executor of {_pid_file(options)}: {f'pid {pid}' if pid else 'none'}")
        try:
            _preflight(alias, names)
            for line in report(alias, names):
                self.stdout.write(line)
        except (psycopg.OperationalError, OperationalError) as error:
            meanwhile = "; its executors live on, and try again" if pid else ""
            raise CommandError(
                f"the database {alias!r} is away{meanwhile}: {' '.join(str(error).split())}"
            ) from error


def _child(alias: str, names: Sequence[str], options: dict[str, Any]) -> int:
    board_file, alive_file = options["child"]
    return run_child(
        alias=alias,
        queues=names,
        places=_places(options),
        terms=Terms(
            [f"--database={alias}", f"--verbosity={options['verbosity']}"],
            options["max_tasks"],
            options["max_memory"],
        ),
        board_file=board_file,
        alive_file=alive_file,
        grace=options["grace"],
        drain=options["drain"],
        limit=options["max_tasks"],
    )


def _places(options: dict[str, Any]) -> Places:
    return Places(options["threads"], options["workers"], options["coroutines"])


def _queues(alias: str, wanted: Sequence[str] | None) -> list[str]:
    known = queues.names_on(alias)
    if strange := sorted(set(wanted or ()) - set(known)):
        raise CommandError(
            f"no such queue in the database {alias!r}: {', '.join(strange)} (TPQ_QUEUES has: {', '.join(known) or '-'})"
        )
    if not known:
        raise CommandError(f"no queue of TPQ_QUEUES is in the database {alias!r}: name another by --database")
    return list(wanted) if wanted else known


def _preflight(alias: str, names: Sequence[str]) -> None:
    """Say in one line what would not work, before any process is started."""
    results.store()
    with connect(alias):
        pass
    for name in names:
        queues.manager(name).using(alias).table()
    try:
        Task.objects.using(alias).exists()
    except DatabaseError as error:
        raise CommandError(
            f"the tables of django_tpq.futures are not all there: run `manage.py migrate` ({error})"
        ) from None


def _reloading(options: dict[str, Any]) -> int:
    if options["drain"]:
        raise CommandError(
            "--autoreload goes on until it is stopped, --once ends by itself: give one of them"
        )
    arguments = [*_arguments(options), *_colours(options)]
    if options["pidfile"]:
        arguments.append(f"--pidfile={options['pidfile']}")
    return Reloading(arguments, options["grace"]).run()


def _colours(options: dict[str, Any]) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name in ("no_color", "force_color") if options[name]]


def _arguments(options: dict[str, Any]) -> list[str]:
    names = (*Places._fields, "processes", "grace", "max_tasks", "max_memory", "database", "verbosity")
    arguments = [f"--{name.replace('_', '-')}={options[name]}" for name in names if options[name] is not None]
    return arguments + [f"--queue={name}" for name in options["queue"] or ()]


def _pid_file(options: dict[str, Any]) -> Path:
    return Path(options["pidfile"] or _in_project("executor.pid"))


def _in_project(name: str) -> Path:
    return Path(getattr(project, "BASE_DIR", None) or Path.cwd()) / name
