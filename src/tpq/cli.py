"""The `tpq` command: put JSON in, get JSON out, from a shell.

Messages go to standard output, everything else to standard error. Exit code 0: a message went in or came out;
1: the queue was empty, or something failed.
"""

import argparse
import json
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import psycopg

from tpq.errors import QueueError
from tpq.queue import Queue

__all__ = ["main"]

logger = logging.getLogger("tpq")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG if options.debug else logging.WARNING)
    if not options.debug:
        # psycopg tells how it cleans up after an interrupt; that is no news for whoever pressed Ctrl-C.
        logging.getLogger("psycopg").setLevel(logging.ERROR)
    try:
        return int(options.run(options))
    except (QueueError, OSError, ValueError, TypeError, psycopg.Error) as error:
        if options.debug:
            logger.exception("failed")
        print("tpq:", *str(error).split(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tpq: interrupted", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tpq",
        description="A message queue in PostgreSQL.",
        epilog="The server: TPQ_URL, or TPQ_HOST, TPQ_DB, TPQ_USER and TPQ_PASS.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("name", metavar="NAME", help="the queue (a table)")
    common.add_argument("--debug", action="store_true", help="show tracebacks and debug messages")

    create = commands.add_parser("create", parents=[common], help="create a queue")
    create.set_defaults(run=_create)
    produce = commands.add_parser("produce", parents=[common], help="put one JSON message in")
    produce.add_argument("--file", metavar="PATH", default="-", help="where to read it; -: standard input")
    produce.add_argument("--create", action="store_true", help="create the queue first if it is missing")
    produce.set_defaults(run=_produce)
    consume = commands.add_parser("consume", parents=[common], help="take one message out")
    consume.add_argument(
        "--wait", metavar="SECONDS", type=float, default=-1, help="0: for ever; default: do not wait"
    )
    consume.set_defaults(run=_consume)
    count = commands.add_parser("count", parents=[common], help="how many messages could be taken now")
    count.set_defaults(run=_count)
    return parser


def _create(options: argparse.Namespace) -> int:
    with Queue(options.name) as queue, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        queue.create()
    for warning in said:
        print(f"tpq: {warning.message}", file=sys.stderr)
    return 0


def _produce(options: argparse.Namespace) -> int:
    body = _read(options.file)
    with Queue(options.name) as queue:
        if options.create:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                queue.create()
        queue.put(body)
    return 0


def _read(path: str) -> object:
    raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    if not raw.strip():
        raise ValueError("the input is empty: one JSON value is needed")
    try:
        return json.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"the input is not UTF-8: {error}") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"the input is not JSON: {error}") from error


def _consume(options: argparse.Namespace) -> int:
    with Queue(options.name) as queue, queue.get(options.wait) as body:
        _write(json.dumps(body, ensure_ascii=False))
    return 0


def _write(line: str) -> None:
    """Write a line of UTF-8 to standard output and see it go, or raise: the message then goes back."""
    if sys.stdout is None:
        raise OSError("standard output is closed")
    try:
        sys.stdout.buffer.write(line.encode() + b"\n")
        sys.stdout.buffer.flush()
    except OSError:
        # The rest of the line is still buffered and would fail once more, with exit code 120, at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _count(options: argparse.Namespace) -> int:
    with Queue(options.name) as queue:
        print(len(queue))
    return 0
