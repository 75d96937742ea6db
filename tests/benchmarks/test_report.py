"""The page and the README's table, from figures that were made by hand."""

import pytest

from benchmarks import contest
from benchmarks.journal import FILE
from benchmarks.peers.__main__ import load
from benchmarks.report import page, summary, write
from benchmarks.report.figures import number, spread
from benchmarks.report.systems import REDIS, rows

README = "# It\n\n<!-- benchmarks -->\nold\n<!-- /benchmarks -->\n\nThe rest.\n"


@pytest.fixture
def text(lines):
    return page.text(lines, rows(lines), ["drain"])


def row(text, *cells):
    """The cells of the only line of a table that begins with these."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {' | '.join(cells)} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][len(cells) :]


def test_a_figure_is_a_median_with_its_range():
    assert spread([1300.0, 1000.0, 1100.0]) == "1,100 (1,000 to 1,300)"
    assert spread([5.0]) == spread([5.0, 5.0]) == "5"
    assert spread([]) == "—"


def test_small_numbers_have_three_digits():
    assert [number(value) for value in (0.01234, 12.345, 99999.4)] == ["0.0123", "12.3", "99,999"]


def test_the_table_has_ours_first_and_then_who_drains_most(lines):
    assert [(found.name, found.config) for found in rows(lines)] == [
        ("django-tpq", "best"),
        ("django-tpq", "16 threads"),
        ("pgqueuer", "best"),
        ("celery (Redis)", "best"),
        ("celery (Redis)", "default"),
    ]


def test_a_row_has_rounds_rate_and_ratios(text):
    n, drained, times, of_bare, cpu, wal, commits, *_ = row(text, "pgqueuer", "best")[:7]
    assert (n, drained, times) == ("3", "14,000 (13,000 to 15,000)", "2.21")
    assert (of_bare, cpu, wal, commits) == ("0.28 (0.26 to 0.3)", "0.05", "900", "0.01")


def test_ours_stands_for_the_best_thread_count_with_all_its_processes(text):
    _, drained, times, of_bare, cpu, *_ = row(text, "django-tpq", "best")
    assert drained == "31,000 (30,000 to 32,000)"
    assert (times, of_bare, cpu) == ("1", "0.64 (0.6 to 0.775)", "0.021")


def test_what_was_not_measured_is_a_dash(text):
    assert row(text, "celery (Redis)", "default")[7:] == ["—"] * 8


def test_what_postgresql_counts_is_not_told_of_those_on_redis(text):
    assert row(text, "celery (Redis)", "best")[5:7] == ["—", "—"]


def test_the_page_says_when_where_and_how_often(text):
    assert "Begun 2026-01-02 03:04 UTC." in text
    assert "Test CPU, 2 cores, 4 GiB" in text
    assert "django-tpq 1.0, commit abc1234, PostgreSQL 15.1, Redis 7.0" in text
    assert "3 rounds" in text


def test_the_page_says_what_a_configuration_is(text):
    assert "| pgqueuer | python 3.12.1, pgqueuer 9.9 | best | batches of 500 |" in text
    assert "drained with 1 thread, the best of the counts" in text


def test_what_failed_is_listed_once_with_its_rounds_and_its_words(text):
    assert "- dj-queue, best, as a whole, rounds 1, 2, 3: `ERROR: no matching distribution 'found'`" in text
    assert "- celery (Redis), best, test 7, rounds 1, 2: `TimeoutError: no task has started" in text


def test_what_succeeded_when_it_was_tried_again_has_not_failed(text):
    assert "it went away" not in text


def test_a_run_without_failures_does_not_speak_of_them(lines):
    good = [line for line in lines if "failed" not in line]
    assert "What failed" not in page.text(good, rows(good), [])


def test_a_bar_that_is_met(text):
    assert (
        "| 1 | tasks/s, best | 31,000 (30,000 to 32,000) | bare: claim 100, delete by ids | 0.62 | ≥ 0.6 |"
        in text
    )


def test_a_bar_that_is_missed(text):
    assert "| 2 | delay_many of 1,000 | 30,000 | bare: COPY of 1,000 | 0.3 | ✗ ≥ 0.4 |" in text


def test_a_bar_beside_the_best_on_postgresql(text):
    assert "pgqueuer, best: 14,000 (13,000 to 15,000) | 2.21 | ✗ ≥ 2.5 |" in text


def test_a_bar_beside_the_better_configuration_of_one_on_redis(text):
    assert "celery (Redis), best: 1,100 (1,000 to 1,200) | 28.2 | ≥ 8 |" in text
    assert "celery (Redis), default: 800" not in text.partition("its bars")[2]


def test_bars_of_latency_beside_celery(text):
    assert "| 4 | ms p50 | 1.5 (1.4 to 1.6) | celery (Redis), best: 3 | 0.5 | ≤ 1 |" in text
    assert "| 4 | ms p99 | 8 (3 to 9) | celery (Redis), best: 7 | 1.14 | ✗ ≤ 1 |" in text


def test_no_bar_beside_who_was_not_measured(text):
    assert "dj-queue" not in text.partition("its bars")[2]


def test_ours_alone_are_only_bars_at_the_terminal(lines):
    assert summary([line for line in lines if line["kind"] != "peer"])[0].startswith("| test | figure |")
    assert summary(lines)[0].startswith("| system | configuration |")


def test_every_system_on_redis_is_known_as_such():
    assert {name for name in contest.NAMES if load(name).needs_redis} <= set(REDIS)


@pytest.fixture
def readme(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(README)
    return path


def test_the_project_s_own_report_rewrites_the_readme(folder, lines, readme):
    write(folder, lines, home=folder, document=readme)
    text = readme.read_text()
    assert "| **django-tpq** | 31,000 | 3,500 | 1.5 | — |" in text
    assert "| celery (Redis) | 1,100 | 2,500 | 3 | — |" in text
    assert "(docs/benchmarks/drain.svg)" in text
    assert "2026-01-02, 2 cores of Test CPU" in text
    assert text.startswith("# It\n\n<!-- benchmarks -->\n|")
    assert text.endswith("<!-- /benchmarks -->\n\nThe rest.\n")


def test_it_can_be_rewritten_again_and_again(folder, lines, readme):
    write(folder, lines, home=folder, document=readme)
    once = readme.read_text()
    write(folder, lines, home=folder, document=readme)
    assert readme.read_text() == once


def test_a_report_elsewhere_leaves_the_readme_alone(folder, lines, readme):
    write(folder, lines, home=folder.parent, document=readme)
    assert readme.read_text() == README


def test_a_quick_run_leaves_the_readme_alone(folder, lines, readme):
    write(folder, [lines[0] | {"quick": True}, *lines[1:]], home=folder, document=readme)
    assert readme.read_text() == README


def test_a_readme_without_markers_is_an_error(folder, lines, readme):
    readme.write_text("# It\n")
    with pytest.raises(ValueError, match=r"README\.md has no <!-- benchmarks -->"):
        write(folder, lines, home=folder, document=readme)


def test_the_page_names_the_plots_that_are_there(folder, lines, readme):
    write(folder, lines, home=folder.parent, document=readme)
    text = (folder / "index.md").read_text()
    for name in ("drain", "latency", "snapshot"):
        assert f"]({name}.svg)" in text
        assert (folder / f"{name}.svg").exists()
    assert (folder / FILE).exists()
