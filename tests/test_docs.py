"""Names that leave a process stand in one place of the documentation each, and all of them do."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from contract.errors import ErrorCode
from contract.result import HealthReport, PageTimings
from gateway.addresses import ADDRESS_INCOMPLETE, ADDRESS_MISSING, ADDRESS_TOO_LONG
from gateway.app import ROUTE_MODULES
from gateway.errors import PROBLEMS
from gateway.settings import Settings
from gateway.stripe_events import EVENT_TYPES
from handler import settings as worker_settings
from handler.variables import VARIABLES as WORKER_VARIABLES

ROOT = Path(__file__).resolve().parent.parent
API = (ROOT / "docs" / "api.md").read_text()
CONFIGURATION = ROOT / "docs" / "configuration.md"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def section(text: str, title: str) -> str:
    """The part of a page from a heading to the next of the same level."""
    start = text.index(f"\n## {title}")
    end = text.find("\n## ", start + 1)
    return text[start : end if end > 0 else None]


def first_column(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)`", text, flags=re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The names of a page's headings, as links have them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_problem_code_is_documented_with_its_status() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", section(API, "Errors"), re.MULTILINE))
    assert rows == {code: str(int(status)) for code, (status, _) in PROBLEMS.items()}


def test_every_error_code_of_a_job_is_documented_with_its_retryability() -> None:
    text = section(API, "Why a job or a page failed")
    rows = dict(re.findall(r"^\| `(\w+)` \| (yes|no) \|", text, re.MULTILINE))
    assert rows == {code.value: "yes" if code.retryable else "no" for code in ErrorCode}


def test_every_error_code_of_a_job_has_a_row_for_operators() -> None:
    documented = first_column(section(OPERATIONS, "Error codes"))
    assert sorted(documented) == sorted(ErrorCode)


def test_the_refusals_that_operators_look_into_are_those_of_the_api() -> None:
    rows = re.findall(r"^\| (`.+?) \|", section(OPERATIONS, "When a call was"), re.MULTILINE)
    documented = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    broken = {code for code, (status, _) in PROBLEMS.items() if status >= 500 or status == 429}
    assert broken <= documented <= set(PROBLEMS)


def test_every_page_timing_has_a_row_for_operators() -> None:
    documented = first_column(section(OPERATIONS, "Page timings"))
    assert documented == list(PageTimings.model_fields)


def test_every_field_of_a_health_report_is_explained() -> None:
    rows = re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \|", section(OPERATIONS, "The health job"), re.MULTILINE
    )
    documented = [name for row in rows for name in re.findall(r"\w+", row)]
    assert documented == list(HealthReport.model_fields)


def test_every_described_route_is_in_the_tour() -> None:
    for operation in (each for module in ROUTE_MODULES for each in module.operations):
        if operation.method == "head":
            continue
        path = re.sub(r"{(\w+):\w+}", r"{\1}", operation.path)
        assert f"`{operation.method.upper()} {path}" in API, path


def test_the_tables_of_variables_are_what_the_code_declares() -> None:
    page = CONFIGURATION.read_text()
    assert page.count("<!-- python -m ") == page.count("<!-- end -->") >= 5
    command = [sys.executable, "-m", "sandbox.doc_blocks", "--check", str(CONFIGURATION)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_setting_of_the_gateway_has_a_row() -> None:
    documented = first_column(section(CONFIGURATION.read_text(), "Gateway"))
    assert documented == [name.upper() for name in Settings.model_fields]


def test_the_worker_reads_each_declared_variable_and_no_other() -> None:
    source = Path(worker_settings.__file__).read_text()
    read = set(re.findall(r"\"([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)\"", source))
    assert read == {each.name for each in WORKER_VARIABLES}


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"])
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"])
def test_links_into_pages_lead_to_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text()):
        linked = page.parent / target if target else page
        assert anchor in anchors(linked.read_text()), f"{page.name} links to {target}#{anchor}"


def reasons_in(source: Path) -> set[str]:
    """The reasons for which steps fail, as far as they stand in the code as text."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "StepFailed":
            given = node.args[0]
            if isinstance(given, ast.JoinedStr):
                given = given.values[0]
            if isinstance(given, ast.Constant):
                found.add(str(given.value).partition(":")[0])
    return found


def test_every_reason_for_which_an_order_is_parked_is_documented() -> None:
    reasons = set().union(*map(reasons_in, (ROOT / "gateway").glob("*.py")))
    assert "print_rejected" in reasons
    rows = re.findall(r"^\| ([^|]+) \|", section(OPERATIONS, "When an order needs"), re.MULTILINE)
    documented = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row)}
    assert reasons | {ADDRESS_INCOMPLETE, ADDRESS_MISSING, ADDRESS_TOO_LONG} <= documented


def test_the_readme_shows_the_two_commands_first() -> None:
    text = (ROOT / "README.md").read_text()
    assert text.index("make demo") < text.index("make test") < text.index("##")


def test_the_deploy_guide_names_the_events_that_stripe_is_to_send() -> None:
    text = section((ROOT / "docs" / "deploy.md").read_text(), "7. Stripe")
    assert re.findall(r"^- `([a-z_.]+)`$", text, re.MULTILINE) == list(EVENT_TYPES)
