"""What things cost, and that the pages tell what the code counts."""

import re
import subprocess
import sys
from decimal import Decimal

import pytest
from pydantic import BaseModel

from deploy.costs import PRICES, Assumptions, costs, table
from deploy.endpoint_file import GPU_POOLS, Endpoint, Gpu, Scaling, Volume, Workers, read_endpoint
from gateway.settings import Settings
from tests.deploy.conftest import COMMITTED, REPOSITORY


def test_a_preview_costs_its_pages_and_a_cold_one_start_and_wait_too() -> None:
    assumed = Assumptions(seconds_per_page=10, start_seconds=50, idle_seconds=20)
    found = costs(assumed, Decimal("0.001"))
    assert found.preview_warm == Decimal("0.030")
    assert found.preview_cold == Decimal("0.100")


def test_a_book_paints_what_the_preview_didnt_and_enlarges_every_page() -> None:
    assumed = Assumptions(
        seconds_per_page=10,
        seconds_per_print_page=2,
        preview_pages=3,
        book_pages=35,
        book_workers=4,
        start_seconds=50,
        idle_seconds=20,
    )
    found = costs(assumed, Decimal("0.001"))
    assert found.book_warm == Decimal("0.390")
    assert found.book_cold == Decimal("0.670")


def test_a_failed_attempt_costs_its_deadline_and_a_worker_that_never_stops_its_month() -> None:
    found = costs(Assumptions(deadline_seconds=100), Decimal("0.001"))
    assert found.failed_attempt == Decimal("0.100")
    assert found.always_on == Decimal(2592)


@pytest.mark.parametrize(
    "wrong", [{"seconds_per_page": -1.0}, {"idle_seconds": float("nan")}, {"preview_pages": 36}]
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"^costs: "):
        Assumptions(**wrong)  # type: ignore[arg-type]


def test_the_defaults_are_the_products_budgets_and_the_gateways_settings() -> None:
    assumed = Assumptions()
    assert round(assumed.preview_pages * assumed.seconds_per_page) == 20
    both = assumed.seconds_per_page + assumed.seconds_per_print_page
    assert round(assumed.book_pages * both, -1) == 600
    fields = Settings.model_fields
    assert assumed.book_workers == fields["order_jobs_at_once"].default
    assert assumed.deadline_seconds == fields["job_deadline_s"].default
    assert assumed.idle_seconds == read_endpoint(COMMITTED).workers.idle_timeout_s


def test_every_priced_gpu_is_in_a_pool_of_runpods() -> None:
    assert {pool for pool, _ in PRICES.values()} <= set(GPU_POOLS)
    assert table(Assumptions()).count("\n") == len(PRICES) + 1


def test_the_page_of_costs_has_the_table_that_the_code_makes() -> None:
    page = str(REPOSITORY / "docs/costs.md")
    command = [sys.executable, "-m", "sandbox.doc_blocks", "--check", page]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_of_costs_tells_every_option_and_its_default() -> None:
    text = (REPOSITORY / "docs/costs.md").read_text()
    rows = re.findall(r"^\| ((?:`--[a-z-]+`(?:, )?)+) \| ([\d., ]+) \|", text, re.MULTILINE)
    told: dict[str, str] = {}
    for options, values in rows:
        told |= dict(zip(re.findall(r"--([a-z-]+)", options), values.split(", "), strict=True))
    wanted = {name.replace("_", "-"): f"{value:g}" for name, value in vars(Assumptions()).items()}
    assert told == wanted


def test_the_page_of_runpod_tells_every_setting_of_the_file_and_no_other() -> None:
    text = (REPOSITORY / "docs/runpod.md").read_text()
    part = text[text.index("## What the file may say") : text.index("## What to choose")]
    told = set()
    for cell in re.findall(r"^\| (`[^|]+`) \|", part, re.MULTILINE):
        names = re.findall(r"`([a-z_.]+)`", cell)
        table_name = names[0].partition(".")[0]
        told |= {table_name + name if name.startswith(".") else name for name in names}
    parts: dict[str, type[BaseModel]] = {
        "gpu": Gpu,
        "workers": Workers,
        "scaling": Scaling,
        "volume": Volume,
    }
    plain = set(Endpoint.model_fields) - set(parts)
    assert told == plain | {f"{t}.{n}" for t, part in parts.items() for n in part.model_fields}
