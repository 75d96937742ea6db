"""`check --deploy` says what stands between a project and its queues."""

import pytest
from django.db import connections

from chaos.faults.surroundings import needs, pooled
from django_tpq.main.deployment import check_hearing
from django_tpq.main.hearing import hearing

WITHOUT_POOLER = needs("pgbouncer")()


def found():
    return [(message.id, message.msg, message.hint or "") for message in check_hearing()]


@pytest.fixture
def through_pooler(own_server, monkeypatch):
    """The default database is reached through PgBouncer in transaction mode."""
    with pooled(own_server, "") as told:
        changed = {"HOST": told["CHAOS_HOST"], "PORT": told["CHAOS_PORT"]}
        for name, value in changed.items():
            monkeypatch.setitem(connections["default"].settings_dict, name, value)
        connections["default"].close()
        yield own_server
        connections["default"].close()


@pytest.mark.django_db(transaction=True)
def test_a_direct_way_is_not_worth_a_word():
    assert found() == []


@pytest.mark.skipif(WITHOUT_POOLER is not None, reason=str(WITHOUT_POOLER))
class TestThroughPgBouncer:
    def test_it_is_a_warning_that_nothing_is_heard(self, through_pooler):
        ((number, told, hint),) = found()
        assert number == "tpq.W007"
        assert "reached through a pooler that hands sessions around: LISTEN hears nothing" in told
        assert "TPQ_LISTEN" in hint
        assert "DISABLE_SERVER_SIDE_CURSORS" in hint

    def test_polling_that_is_meant_is_said_without_a_warning(self, through_pooler, settings):
        settings.TPQ_LISTEN = None
        ((number, told, _),) = found()
        assert number == "tpq.I001"
        assert "polled, as TPQ_LISTEN says" in told

    def test_a_way_around_it_is_said(self, through_pooler, settings):
        settings.TPQ_LISTEN = f"host={through_pooler.room} user=postgres dbname=postgres"
        ((number, told, _),) = found()
        assert (number, told.endswith("through a pooler, and LISTEN hears.")) == ("tpq.I001", True)
        assert hearing("default") == (True, True, "")

    def test_a_way_that_leads_nowhere_is_a_warning(self, through_pooler, settings, tmp_path):
        settings.TPQ_LISTEN = f"host={tmp_path} user=postgres dbname=postgres"
        ((number, told, _),) = found()
        assert number == "tpq.W006"
        assert "nobody answers" in told

    def test_nothing_is_said_of_cursors_where_they_are_switched_off(self, through_pooler, monkeypatch):
        monkeypatch.setitem(connections["default"].settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
        assert "DISABLE_SERVER_SIDE_CURSORS" not in found()[0][2]


def test_a_database_that_does_not_answer_is_a_warning(own_server, monkeypatch, tmp_path):
    monkeypatch.setitem(connections["default"].settings_dict, "HOST", str(tmp_path))
    ((number, told, _),) = found()
    assert number == "tpq.W005"
    assert "does not answer" in told


def test_only_check_deploy_connects(project):
    project.models("class Post(BaseQueue):\n    pass\n")
    project.manage("queuemigrations")
    project.configure("TPQ_LISTEN = 'host=/nowhere'\n")
    assert "W006" not in project.manage("check").stderr
    assert "tpq.W006" in project.manage("check", "--deploy").stderr
