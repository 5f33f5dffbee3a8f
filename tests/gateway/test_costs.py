"""What an order costs on GPUs."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.costs import Cost, cost

PRICE = Decimal("0.0005")


def test_execution_and_waiting_gpus_are_paid_for_and_nothing_else() -> None:
    page = {"render_ms": 4000.0, "idle_ms": 500.0, "fetch_ms": 700.0, "sample_ms": 3900.0}
    assert cost([page, page], PRICE) == Cost(2, 9.0, Decimal("0.0045"))


def test_a_page_that_isnt_painted_costs_nothing() -> None:
    assert cost([None, {}], PRICE) == Cost(0, 0.0, Decimal("0.0000"))


def test_a_page_of_an_older_worker_without_idle_time_counts() -> None:
    assert cost([{"render_ms": 1000.0}], PRICE).gpu_seconds == 1.0


def test_half_a_hundredth_of_a_cent_is_rounded_up() -> None:
    assert cost([{"render_ms": 100.0}], PRICE).usd == Decimal("0.0001")


@given(st.lists(st.floats(0, 1e6), max_size=40), st.floats(0, 1e6))
def test_another_page_never_makes_it_cheaper(times: list[float], more: float) -> None:
    pages = [{"render_ms": time} for time in times]
    assert cost([*pages, {"render_ms": more}], PRICE).usd >= cost(pages, PRICE).usd
