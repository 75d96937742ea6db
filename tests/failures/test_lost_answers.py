"""A connection that breaks after a commit and before its answer: what was claimed then belongs to nobody's memory."""

import pytest
from django.db import connection

from tests.failures.accidents import tasks

CLAIM = "%claim_no + 1%"


@pytest.fixture
def no_answers(own_server, own_executor):
    """An executor is ready. From now on commits are made, but their answers wait for a server that is not there."""
    with own_server.connect() as admin, connection.cursor() as ours:
        own_executor("-t", "2")
        for each in admin, ours:
            each.execute("SET synchronous_commit = local")
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        admin.execute("SELECT pg_reload_conf()")
        yield admin
        answer_again(admin)


def test_claims_whose_answer_was_lost_run_all_the_same(no_answers, eventually):
    futures = []

    def a_claim_waits():
        futures.append(tasks.deliveries.delay())  # the one before may have run before commits waited
        answer(no_answers, CLAIM)
        assert waiting(no_answers, CLAIM)

    eventually(a_claim_waits, 20)
    answer_again(no_answers)
    assert {future.result(wait=20) for future in futures} == {0}


def answer(admin, other_than):
    """Let commits of other statements be answered: the claim comes after them."""
    others = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query NOT LIKE %s"
    admin.execute(others, [other_than])


def answer_again(admin):
    """No commit waits any more; those that did lose their connections."""
    admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    admin.execute("SELECT pg_reload_conf()")


def waiting(admin, statement):
    found = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE %s"
    return admin.execute(found, [statement]).fetchall()
