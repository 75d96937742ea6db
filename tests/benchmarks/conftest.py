"""A run that was made by hand: three rounds of ours, Celery and pgqueuer; dj_queue does not install."""

import shutil
from pathlib import Path

import pytest

from benchmarks.journal import FILE, read

FIGURES = Path(__file__).parent / FILE


@pytest.fixture
def lines():
    return read(FIGURES)


@pytest.fixture
def folder(tmp_path):
    """A folder with the figures of the run."""
    place = tmp_path / "benchmarks"
    place.mkdir()
    shutil.copy(FIGURES, place)
    return place
