"""What the pages name is there: links, tests, metrics, commands, times."""

import json
import re
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from gateway import retention
from gateway.commands import parser
from gateway.settings import Settings
from handler.workflows.__main__ import commands as workflow_commands
from tests.orders.site import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TEXTS = {page: page.read_text() for page in PAGES}
SECURITY = (ROOT / "docs" / "security.md").read_text()
LIVES = {
    "24 hours": retention.EMBEDDING_LIFE,
    "30 days after": retention.WEBHOOK_LIFE,
    "365 days": retention.AUDIT_LIFE,
}


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", TEXTS[page]):
        linked = page.parent / target if target else page
        assert linked.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(linked.read_text()), f"{page.name}: #{anchor}"


def test_every_test_that_the_security_page_names_is_there() -> None:
    named = re.findall(r"`(test_\w+)::(\w+)`", SECURITY)
    assert len(named) > 30
    for module, name in named:
        sources = [path.read_text() for path in ROOT.glob(f"tests/**/{module}.py")]
        assert any(f"def test_{name}(" in source for source in sources), f"{module}::{name}"


def test_every_threat_has_a_test() -> None:
    rows = [
        line for line in table("Threats and answers") if not line.startswith(("| threat", "|-"))
    ]
    assert len(rows) > 15
    for row in rows:
        assert "`test_" in row, row


def test_the_table_of_times_has_every_sweep_and_the_settings_own_defaults() -> None:
    rows = table("What lies where")
    sweeps = {name for row in rows for name in re.findall(r"`(\w+)`", row.rsplit("|", 2)[1])}
    assert sweeps == set(retention._SWEEPS)
    told = re.findall(r"`([A-Z_]+_DAYS)` \((\d+) days\)", "\n".join(rows))
    assert {name for name, _ in told} == {
        name.upper() for name in Settings.model_fields if name.endswith("_days")
    }
    for name, days in told:
        assert Settings.model_fields[name.lower()].default == float(days), name


@pytest.mark.parametrize(("text", "life"), LIVES.items())
def test_the_table_of_times_has_the_times_that_arent_settings(text: str, life: timedelta) -> None:
    amount, unit = text.split()[:2]
    assert timedelta(**{unit: float(amount)}) == life
    assert text in "\n".join(table("What lies where"))


def table(heading: str) -> list[str]:
    """The rows of a section's table."""
    _, _, text = SECURITY.partition(f"\n## {heading}")
    return [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("| ")]


def test_the_costs_in_short_are_those_of_the_table() -> None:
    text = TEXTS[ROOT / "docs" / "costs.md"]
    row = next(line for line in text.splitlines() if line.startswith("| L40S |"))
    warm, cold, book, started = (float(cell.strip(" $")) for cell in row.split("|")[4:8])
    said = re.findall(r"\$(\d+\.\d\d) to \$(\d+\.\d\d)", text)
    assert said == [(f"{book:.2f}", f"{started:.2f}"), (f"{20 * warm:.2f}", f"{20 * cold:.2f}")]


def test_every_metric_that_an_alert_names_is_served() -> None:
    served = set()
    for source in (ROOT / "gateway").glob("*.py"):
        served |= set(re.findall(r'"(foxetales_[a-z_]+)"', source.read_text()))
    rules = (ROOT / "docs" / "alerts.yml").read_text()
    assert set(re.findall(r"foxetales_[a-z_]+", rules)) <= served


def test_every_alert_is_whole_and_tells_what_to_look_at() -> None:
    _, *rules = (ROOT / "docs" / "alerts.yml").read_text().split("\n      - alert: ")
    assert len(rules) > 10
    for rule in rules:
        name = rule.splitlines()[0]
        fields = re.findall(r"^        (\w+):", rule, flags=re.MULTILINE)
        assert fields == ["expr", "for", "labels", "annotations"], name
        assert re.search(r"severity: (page|ticket)}", rule), name
        assert f"`{name}`" in TEXTS[ROOT / "docs" / "operations.md"], name


def test_every_make_target_that_a_page_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for page, text in TEXTS.items():
        for name in re.findall(r"(?:`|^|=path )make ([a-z-]+)", text, flags=re.MULTILINE):
            assert name in targets, f"{page.name}: make {name}"


def test_every_command_of_the_gateway_that_a_page_names_is_there() -> None:
    known = set(re.findall(r"^    (\w+) ", parser().format_help(), flags=re.MULTILINE))
    assert {"shop", "user", "backup"} <= known
    for page, text in TEXTS.items():
        for name in re.findall(r"python -m gateway (\w+)", text):
            assert name in known, f"{page.name}: python -m gateway {name}"


def test_every_module_of_ours_that_a_page_runs_is_there() -> None:
    ours = "benchmarks|books|deploy|gateway|handler|sandbox"
    named = {
        name
        for text in TEXTS.values()
        for name in re.findall(rf"python -m ((?:{ours})(?:\.[a-z_]+)*)", text)
    }
    assert {"gateway", "handler"} <= named
    for name in sorted(named):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name


def test_the_commands_of_workflow_authors_are_taken_as_they_are_shown() -> None:
    page = TEXTS[ROOT / "docs" / "workflow-authors.md"]
    lines = re.findall(r"^ *\.venv/bin/python -m handler\.workflows (.+)$", page, re.MULTILINE)
    shown = [workflow_commands().parse_args(shlex.split(line, comments=True)) for line in lines]
    assert {told.command for told in shown} == {"edit", "release", "diff", "check", "schema"}


def test_the_assumed_spine_is_that_of_the_profiles() -> None:
    page = TEXTS[ROOT / "docs" / "known-limits.md"]
    profiles = json.loads((ROOT / "gateway" / "print_profiles.json").read_text())
    assumed = [each["cover"]["spine"] for each in profiles if each["vendor"] == "file_drop"]
    (per_page,) = {spine["per_page_in"] for spine in assumed}
    thin, thick = sorted({spine["boards_in"] for spine in assumed})
    assert f"the spine: {per_page} inch a page and {thin} or {thick} for the boards" in page


def test_the_commands_help_is_there_without_any_setting() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "--help"], cwd=ROOT, capture_output=True, check=False
    )
    assert (done.returncode, b"backup" in done.stdout) == (0, True)
