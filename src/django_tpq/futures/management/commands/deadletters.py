"""`manage.py deadletters`: list, inspect, requeue and discard what has failed for good."""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError
from django.utils.connection import ConnectionDoesNotExist

from django_tpq.futures.commandline import positive, seconds
from django_tpq.futures.deadletters import Letter, Place, chosen, letters, moment, places
from django_tpq.futures.letters import in_full, in_short, lines_of, listed, table
from django_tpq.futures.loading import load_tasks
from tpq.errors import QueueError

CLEAR = (ImproperlyConfigured, ConnectionDoesNotExist, QueueError, psycopg.Error, DatabaseError, ValueError)
"""Errors whose text says it all."""
DONE = {"requeue": "requeued", "discard": "discarded"}


class Command(BaseCommand):
    """Dead letters: the calls that have failed for good, and messages that were buried."""

    help = "Lists, shows, requeues and discards dead letters: calls that failed for good, messages that were buried."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """The actions and their options."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        common, filters = _common(), _filters()
        shown = actions.add_parser(
            "list", parents=[common, filters], help="a line for each, the newest first"
        )
        shown.add_argument(
            "--limit", type=positive, default=50, metavar="N", help="at most so many (default: 50)"
        )
        shown.add_argument("--json", action="store_true", help="as a JSON array")
        one = actions.add_parser(
            "show", parents=[common], help="all runs with their tracebacks, and the arguments"
        )
        one.add_argument(
            "ids", nargs="+", metavar="ID", help="a future's id, or with one --queue a row's number"
        )
        one.add_argument("--json", action="store_true", help="as a JSON array")
        requeue = actions.add_parser(
            "requeue", parents=[common, filters], help="let them run again, with all attempts"
        )
        requeue.add_argument("--delay", type=_delay, metavar="SECONDS", help="not before so long from now")
        discard = actions.add_parser("discard", parents=[common, filters], help="delete them")
        for each in (requeue, discard):
            each.add_argument(
                "ids", nargs="*", metavar="ID", help="a future's id, or with one --queue a row's number"
            )
            each.add_argument(
                "--all", action="store_true", help="all there are in the queues that were chosen"
            )
            each.add_argument("--no-input", "--noinput", action="store_false", dest="interactive",
                help="do not ask before many are moved")  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the action says."""
        action: Callable[[list[Place], dict[str, Any]], bool] = getattr(self, f"_{options['action']}")
        try:
            if not action(places(options["database"], options["queue"] or ()), options):
                sys.exit(1)
        except CLEAR as error:
            raise CommandError(" ".join(str(error).split())) from error

    def _list(self, among: list[Place], options: dict[str, Any]) -> bool:
        limit = options["limit"]
        found = [in_short(p, letter) for p, rows in _chosen(among, options) for letter in listed(rows, limit)]
        found = sorted(found, key=lambda row: row["died_at"], reverse=True)[:limit]
        if options["json"]:
            self._write_json(found)
        elif found:
            for line in table(found, _width(self.stdout)):
                self.stdout.write(line)
            if len(found) == limit:
                self.stdout.write(f"(the newest {limit}; --limit shows more)")
        else:
            self.stdout.write("no dead letters")
        return True

    def _show(self, among: list[Place], options: dict[str, Any]) -> bool:
        load_tasks()  # to know which arguments are secret
        named = list(letters(options["ids"], among))
        found = [(letter, row) for letter in named if (row := letter.rows().first())]
        told = [in_full(letter.place, row) for letter, row in found]
        if options["json"]:
            self._write_json(told)
        else:
            for full in told:
                for line in lines_of(full):
                    self.stdout.write(line)
        missing = {letter.given for letter in named} - {letter.given for letter, _ in found}
        return self._no_dead_letters(missing)

    def _requeue(self, among: list[Place], options: dict[str, Any]) -> bool:
        return self._move(among, options, lambda rows: rows.requeue(options["delay"]))

    def _discard(self, among: list[Place], options: dict[str, Any]) -> bool:
        return self._move(among, options, lambda rows: (rows.discard(), 0))

    def _move(
        self, among: list[Place], options: dict[str, Any], move: Callable[[Any], tuple[int, int]]
    ) -> bool:
        """Move what was named, or what the filters choose; whether all of it moved."""
        is_bulk = options["all"] or any(options[name] is not None for name in ("task", "type", "since"))
        if bool(options["ids"]) == is_bulk:
            raise CommandError("name dead letters by their ids, or by --task, --type, --since or --all")
        if not is_bulk:
            return self._move_named(list(letters(options["ids"], among)), options, move)
        rows = [rows for _, rows in _chosen(among, options)]
        if options["interactive"]:
            self._ask(options["action"], sum(each.count() for each in rows))
        return self._said(options["action"], [move(each) for each in rows])

    def _move_named(
        self, named: list[Letter], options: dict[str, Any], move: Callable[[Any], tuple[int, int]]
    ) -> bool:
        moved = [(letter, move(letter.rows())) for letter in named]
        nothing = {letter.given for letter, ended in moved if ended[:2] == (0, 0)}
        return self._said(options["action"], [m for _, m in moved]) & self._no_dead_letters(nothing)

    def _ask(self, action: str, count: int) -> None:
        try:
            answer = input(f"{action.capitalize()} {count} dead letter(s)? [y/N] ") if count else "y"
        except EOFError:
            raise CommandError("nobody is there to ask: say --no-input") from None
        if answer.strip().lower() not in {"y", "yes"}:
            raise CommandError("nothing was done")

    def _said(self, action: str, moved: list[tuple[int, int]]) -> bool:
        done, stayed = (sum(counts) for counts in zip(*moved, strict=True)) if moved else (0, 0)
        self.stdout.write(f"{done} dead letter(s) {DONE[action]}")
        if stayed:
            self.stderr.write(f"{stayed} stayed: another call or message has their unique key")
        return not stayed

    def _no_dead_letters(self, given: set[str]) -> bool:
        for text in sorted(given):
            self.stderr.write(f"{text} is no dead letter here: it runs again, or is gone")
        return not given

    def _write_json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False))


def _chosen(among: list[Place], options: dict[str, Any]) -> Iterator[tuple[Place, Any]]:
    for place in among:
        yield place, chosen(place, task=options["task"], kind=options["type"], since=options["since"])


def _common() -> CommandParser:
    parser = CommandParser(add_help=False)
    parser.add_argument("--queue", action="append", metavar="NAME",
        help="a queue of TPQ_QUEUES, or one of messages as app.Model; may be repeated "
             "(default: all of TPQ_QUEUES)")  # fmt: skip
    parser.add_argument(
        "--database", metavar="ALIAS", help="the database to look in (default: where each queue lives)"
    )
    return parser


def _filters() -> CommandParser:
    parser = CommandParser(add_help=False)
    parser.add_argument("--task", metavar="NAME", help="calls of this task")
    parser.add_argument("--type", metavar="NAME",
        help="whose last error was of this type: module.Name or Name; `lost`: its executors died; "
             "`refused`: its signature was wrong (BadSignature)")  # fmt: skip
    parser.add_argument("--since", type=_moment, metavar="WHEN",
        help="that died since: 2026-11-29, 2026-11-29T10:30, or 90m, 36h, 3d ago")  # fmt: skip
    return parser


def _moment(text: str) -> datetime:
    try:
        return moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _delay(text: str) -> float:
    return seconds(text, most=1e9)


def _width(stream: Any) -> int | None:
    return shutil.get_terminal_size().columns if stream.isatty() else None
