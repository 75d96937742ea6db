"""Between a queue model's fields and the columns of its table: values in, conditions, instances out."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from django.db import OperationalError, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import DatabaseDefault
from psycopg import errors as pg

from tpq.message import decode

__all__ = ["filters", "hinted", "own_fields", "priority", "reader", "values"]

M = TypeVar("M", bound=models.Model)
T = TypeVar("T")
Field: TypeAlias = "models.Field[Any, Any]"

STANDARD = frozenset(
    (
        *(
            "id",
            "seq",
            "state",
            "priority",
            "due_at",
            "claim_no",
            "claimed_by",
            "unique_key",
            "headers",
            "body",
        ),
        *(
            "attempt",
            "max_attempts",
            "deliveries",
            "max_deliveries",
            "lane",
            "error",
            "errors",
            "claimed_at",
            "enqueued_at",
        ),
    )
)
"""The columns every queue has."""


def own_fields(model: type[models.Model]) -> list[Field]:
    """The fields that the user has added to a queue."""
    return _own_fields(model)


@functools.cache
def _own_fields(model: Any) -> list[Field]:
    return [f for f in model._meta.concrete_fields if f.name not in STANDARD and not f.generated]


def priority(value: int) -> int:
    """Check a priority before the server would."""
    if not isinstance(value, int) or isinstance(value, bool) or not -32768 <= value <= 32767:
        raise ValueError(f"priority must be a whole number from -32768 to 32767, not {value!r}")
    return value


def values(
    model: type[models.Model], given: Mapping[str, Any], connection: BaseDatabaseWrapper
) -> dict[str, Any]:
    """The values of a new row's own columns: given ones, and Django's defaults for the rest."""
    fields = own_fields(model)
    if not fields and not given:
        return {}
    _known(model, given)
    instance = model(**given)
    prepared: dict[str, Any] = {}
    for field in fields:
        value = field.pre_save(instance, add=True)
        if isinstance(value, DatabaseDefault):
            continue
        if value is None and not field.null:
            raise TypeError(f"{model.__name__} needs {field.name}=…: that column may not be NULL")
        prepared[_column(field)] = field.get_db_prep_save(value, connection)
    return prepared


def filters(
    model: type[models.Model], wanted: Mapping[str, Any], connection: BaseDatabaseWrapper
) -> dict[str, Any]:
    """Conditions on own columns: column and value."""
    _known(model, wanted)
    instance = model(**wanted)
    chosen = [f for f in own_fields(model) if f.name in wanted or f.attname in wanted]
    return {_column(f): f.get_db_prep_save(getattr(instance, f.attname), connection) for f in chosen}


def _column(field: Field) -> str:
    assert field.column is not None  # noqa: S101 - concrete fields have one
    return field.column


def _known(model: type[models.Model], given: Mapping[str, Any]) -> None:
    names = {name for f in own_fields(model) for name in (f.name, f.attname)}
    if unknown := sorted(set(given) - names):
        known = ", ".join(sorted(names)) or "none"
        raise TypeError(f"{model.__name__} has no column {', '.join(unknown)} of its own (it has: {known})")


def reader(model: type[M], alias: str) -> tuple[tuple[str, ...], Callable[[tuple[Any, ...]], M]]:
    """The columns of a model, and what turns a row of them into an instance."""
    fields = list(model._meta.concrete_fields)
    compiler = model._base_manager.using(alias).all().query.get_compiler(alias)
    columns = [f.get_col(model._meta.db_table) for f in fields]
    converters = compiler.get_converters(columns)
    names, body = [f.attname for f in fields], [f.name for f in fields].index("body")

    def instance(row: tuple[Any, ...]) -> M:
        converted = list(next(iter(compiler.apply_converters([list(row)], converters))))
        if isinstance(row[body], str):
            converted[body] = decode(row[body])
        return model.from_db(alias, names, converted)

    return tuple(map(_column, fields)), instance


def hinted(take: Callable[[], T]) -> T:
    """Take messages; a serialisation error says what it means here."""
    try:
        return take()
    except OperationalError as error:
        if isinstance(error.__cause__, pg.SerializationFailure):
            error.add_note(
                "Another transaction took the same message. Take messages in READ COMMITTED (PostgreSQL's default), "
                "or run the whole block again."
            )
        raise
