"""The demo's tasks."""

from pathlib import Path
from typing import Any

from django_tpq.futures import current_call, task
from examples.demo.figures import figures_of


@task
def parse(path: str) -> dict[str, Any]:
    """The figures of one file; how often this call had been claimed when it ran, and lost with its executor."""
    call, figures = current_call(), figures_of(Path(path))
    return {"figures": figures, "claim_no": call.claim_no, "lost": call.deliveries}


@task
def nothing() -> None:
    """As quick as can be."""


@task
def divide(a: int, b: int) -> float:
    """Raises when b is 0."""
    return a / b
