"""What the demo removes of an earlier one: what it left, and nothing else."""

from pathlib import Path

import pytest

from sandbox.demo_order import remove_earlier


def report(*letters: str, print_job: str = "print_jobs/a-1") -> dict[str, object]:
    return {"order": {"letters": list(letters), "print_job": print_job}}


def files(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    for name in ("mail/a.eml", "mail/b.eml", "print_jobs/a-1/job.json", "print_jobs/b-1/job.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path


def test_an_earlier_demos_letters_and_print_job_are_removed(out: Path) -> None:
    remove_earlier(report("mail/a.eml"), out)
    assert files(out) == {"mail/b.eml", "print_jobs/b-1/job.json"}


def test_what_is_gone_already_is_no_error(out: Path) -> None:
    remove_earlier(report("mail/a.eml"), out)
    remove_earlier(report("mail/a.eml"), out)
    assert files(out) == {"mail/b.eml", "print_jobs/b-1/job.json"}


@pytest.mark.parametrize("name", ["mail", "", ".", "../mail/b.eml", "mail/../b.eml", "/etc/passwd"])
def test_nothing_else_is_removed_whatever_the_report_says(out: Path, name: str) -> None:
    everything = files(out)
    remove_earlier(report(name, print_job=name), out)
    assert files(out) == everything


def test_a_report_without_an_order_is_none_of_a_demo_that_had_one(out: Path) -> None:
    everything = files(out)
    remove_earlier({}, out)
    assert files(out) == everything
