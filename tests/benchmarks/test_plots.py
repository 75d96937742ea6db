"""The plots are there, small, and the same each time."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from benchmarks.report import plots
from benchmarks.report.systems import rows

NAMES = ["drain", "latency", "snapshot"]


@pytest.fixture
def drawn(lines, tmp_path):
    assert plots.draw(rows(lines), tmp_path) == NAMES
    return {name: (tmp_path / f"{name}.svg").read_text() for name in NAMES}


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_the_same_figures_are_the_same_bytes(drawn, lines, tmp_path):
    plots.draw(rows(lines), tmp_path)
    assert {name: (tmp_path / f"{name}.svg").read_text() for name in NAMES} == drawn


def test_nothing_tells_when_they_were_drawn(drawn):
    assert [name for name in NAMES if "date" in drawn[name] or "metadata" in drawn[name]] == []


def test_they_are_small(drawn):
    assert max(map(len, drawn.values())) < 20_000


def test_bars_have_names_and_values_as_text(drawn):
    assert {"django-tpq, best", "31,000", "celery (Redis), default", "800"} <= set(texts(drawn["drain"]))


def test_latencies_have_both_values(drawn):
    assert {"pgqueuer, best", "3.5 / 6"} <= set(texts(drawn["latency"]))


def test_curves_are_named(drawn):
    assert {"django-tpq", "pgqueuer", "celery (Redis)"} <= set(texts(drawn["snapshot"]))


def test_a_plot_without_figures_is_not_drawn_and_an_old_one_goes(drawn, lines, tmp_path):
    drains = [line for line in lines if line.get("test") == "1"]
    assert plots.draw(rows(drains), tmp_path) == ["drain"]
    assert not (tmp_path / "latency.svg").exists()


def test_nothing_is_drawn_of_nothing(tmp_path):
    assert plots.draw([], tmp_path) == []


def test_names_that_would_touch_are_moved_apart():
    places = plots._apart([1.0, 1.01, 1.02, 5.0], 0.5)
    assert all(upper - lower > 0.49 for lower, upper in pairwise(places))
    assert places[3] == 5.0
