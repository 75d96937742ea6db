"""The command line."""

import pytest

from benchmarks.options import HOME, chosen_peers, chosen_tests, options

TESTS = ["1", "2", "10"]
KNOWN = {"celery": ("default", "best"), "pgqueuer": ("default", "best"), "small": ("default",)}


def asked(*arguments):
    return options(arguments, TESTS, KNOWN)


def test_all_peers_are_all_their_configurations():
    assert len(chosen_peers("all", KNOWN)) == 5


def test_none_is_no_peer():
    assert chosen_peers("none", KNOWN) == []


def test_a_name_is_each_of_its_configurations():
    assert chosen_peers("small,celery", KNOWN) == [
        ("small", "default"),
        ("celery", "default"),
        ("celery", "best"),
    ]


def test_a_name_with_a_configuration_is_that_one():
    assert chosen_peers("pgqueuer:best", KNOWN) == [("pgqueuer", "best")]


def test_a_peer_that_is_named_twice_is_measured_once():
    assert chosen_peers("celery:best,celery", KNOWN) == [("celery", "best"), ("celery", "default")]


def test_an_unknown_peer_is_refused():
    with pytest.raises(ValueError, match="no such system: rabbit; there are celery, pgqueuer, small"):
        chosen_peers("celery,rabbit", KNOWN)


def test_an_unknown_configuration_is_refused():
    with pytest.raises(ValueError, match="small has no configuration best; it has default"):
        chosen_peers("small:best", KNOWN)


def test_tests_are_sorted_by_number():
    assert chosen_tests("10,2", TESTS) == ["2", "10"]


def test_an_unknown_test_is_refused():
    with pytest.raises(ValueError, match="no such test: 3"):
        chosen_tests("1,3", TESTS)


def test_a_whole_run_has_all_peers_and_goes_to_the_documents():
    assert len(asked().peers) == 5
    assert asked().repeats == 3
    assert asked().out == HOME


def test_a_quick_run_has_no_peers_and_goes_nowhere():
    assert asked("--quick").peers == []
    assert asked("--quick").out is None


def test_a_quick_run_can_be_told_both(tmp_path):
    found = asked("--quick", "--peers=small", f"--out={tmp_path}")
    assert found.peers == [("small", "default")]
    assert found.out == tmp_path


@pytest.mark.parametrize("arguments", ["--tests=3", "--peers=rabbit", "--repeats=0"])
def test_nonsense_ends_with_a_message(arguments, capsys):
    with pytest.raises(SystemExit):
        asked(arguments)
    assert "error" in capsys.readouterr().err
