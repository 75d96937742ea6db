"""What `executor --status` says of the way messages come."""

import pytest

from django_tpq.futures.overview import report

pytestmark = pytest.mark.django_db(transaction=True)


def last_line():
    return list(report("default", ["default"]))[-1]


def test_the_bell_is_tried():
    assert last_line() == "messages come by LISTEN"


def test_a_switched_off_bell_is_said(settings):
    settings.TPQ_LISTEN = None
    assert last_line() == "messages come by polling, as TPQ_LISTEN says"


def test_a_bell_that_leads_nowhere_is_said_and_nothing_fails(settings, tmp_path):
    settings.TPQ_LISTEN = f"host={tmp_path} dbname=nowhere"
    assert "TPQ_LISTEN leads to nobody" in last_line()
