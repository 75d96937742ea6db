"""Who is to blame when a process has died: what its page says."""

import pytest

from tpq.board import Board


@pytest.fixture
def board():
    board = Board.create(4, apart=1)
    yield board
    board.close()


def test_nobody_is_watched_all_that_had_begun_may_have_done_it(board):
    board.begin(0, 0, 11, b"one")
    board.begin(1, 1, 12, b"two", losses=2)
    assert board.to_blame() == {0: [11], 1: [12]}
    board.end(0)
    assert board.to_blame() == {1: [12]}


def test_what_runs_in_a_process_of_its_own_has_not(board):
    board.begin(0, 0, 11, b"one")
    board.begin(3, 0, 14, b"apart")
    assert board.to_blame() == {0: [11]}
    assert board.running() == {"one": 1, "apart": 1}


def test_the_watched_one_alone_is(board):
    board.begin(0, 0, 11, b"one")
    board.begin(1, 0, 12, b"two", losses=1)
    board.begin(2, 1, 12, b"of another table", losses=1)
    board.watch([(0, 12)])
    assert board.to_blame() == {0: [12]}
    board.end(1)
    assert board.to_blame() == {0: [11], 1: [12]}


def test_who_was_charged_twice_and_kills_at_once_is(board):
    board.begin(0, 0, 11, b"first", losses=1)
    board.begin(1, 0, 12, b"poison", losses=2)
    board.watch([(0, 12)])
    assert board.to_blame() == {0: [12]}


def test_who_was_charged_twice_is_not_charged_for_slow_poison_beside_it(board, monkeypatch):
    monkeypatch.setattr("tpq.board.QUICK", 0.0)
    board.begin(0, 0, 11, b"slow poison", losses=1)
    board.begin(1, 0, 12, b"innocent", losses=2)
    board.begin(2, 0, 13, b"first time")
    board.watch([(0, 12)])
    assert board.to_blame() == {0: [11]}


def test_but_for_what_has_run_long_beside_it(board, monkeypatch):
    board.begin(0, 0, 11, b"long", losses=1)
    monkeypatch.setattr("tpq.board.QUICK", 0.0)
    monkeypatch.setattr("tpq.board.SLOW", -1.0)
    board.begin(1, 0, 12, b"poison", losses=2)
    board.watch([(0, 12)])
    assert board.to_blame() == {0: [12]}


def test_of_several_that_were_charged_twice_and_have_begun_lately_nobody_is(board, monkeypatch):
    """It would be the end of all of them, for what one of them did."""
    board.begin(0, 0, 11, b"one", losses=2)
    assert not board.watches_several
    assert board.to_blame() == {0: [11]}
    board.begin(1, 1, 12, b"two", losses=2)
    assert board.watches_several
    assert board.to_blame() == {}
    board.watch([(1, 12)])
    assert board.to_blame() == {1: [12]}
    board.watch([])
    monkeypatch.setattr("tpq.board.SLOW", 0.0)
    assert not board.watches_several
    assert board.to_blame() == {0: [11], 1: [12]}


def test_long_names_are_cut(board):
    board.begin(0, 0, 11, b"x" * 500)
    board.begin(1, 0, 12, "ä".encode() * 200)
    assert sorted(board.running().values()) == [1, 1]
