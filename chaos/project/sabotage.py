"""The product, spoilt on purpose: what has to make the checker speak. CHAOS_SABOTAGE names how."""

import os

from tpq import statements

__all__ = ["SPOILT", "spoil"]

SPOILT: dict[str, tuple[str, str, str]] = {
    "what a dead process held is deleted": (
        "reclaim",
        "",
        (
            "DELETE FROM {table} WHERE claimed_by = ANY(%(consumers)s::bigint[]) "
            "AND coalesce(cardinality(%(begun)s::bigint[]), 0) >= 0 RETURNING id, 'ready' AS state, {returning}"
        ),
    ),
    "each message is put in twice": ("put", "VALUES ({values})", "VALUES ({values}), ({values})"),
}
"""By what is done: the statement, what stands there (nothing: all of it), and what instead."""


def spoil() -> None:
    """Do it, if it is asked for."""
    how = os.environ.get("CHAOS_SABOTAGE")
    if not how:
        return
    name, good, bad = SPOILT[how]
    read = statements._read

    def spoilt(wanted: str) -> str:
        if wanted != name:
            return read(wanted)
        assert good in read(name), f"sql/{name}.sql has changed: {good!r} is not in it"
        return read(name).replace(good, bad) if good else bad

    statements._read = spoilt  # type: ignore[assignment]
