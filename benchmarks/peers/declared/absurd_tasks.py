"""The tasks of Absurd."""

from absurd_sdk import Absurd, TaskContext
from psycopg import Connection

from benchmarks.peers.peer import note


def client(connection: Connection | str) -> Absurd:
    """A client that knows the tasks."""
    app = Absurd(connection)
    app.register_task("nothing")(nothing)
    app.register_task("answer")(answer)
    return app


def nothing(number: int, _: TaskContext) -> None:
    """Note the start."""
    note(number)


def answer(number: int, _: TaskContext) -> int:
    """As `nothing`, with a result."""
    note(number)
    return number
