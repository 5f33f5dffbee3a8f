"""A run of which nothing is left, because its database was restored, is begun again."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from gateway.order_records import Order
from gateway.records import writing
from tests.orders.site import Site


def forget_runs(site: Site) -> int:
    """Remove all that DBOS knows; return how many runs there were."""
    with site.engine.begin() as connection:
        runs = connection.execute(text("DELETE FROM workflow_status")).rowcount
        connection.execute(text("DELETE FROM operation_outputs"))
    return runs


def test_an_order_without_a_run_gets_a_new_one(site: Site) -> None:
    dying = site.start(DIE_AT="upscale:after")
    order_id = site.pay(site.preview())
    dying.process.wait(timeout=60)
    assert forget_runs(site) == 1
    with writing(site.engine) as session:
        session.get_one(Order, order_id).updated_at = datetime.now(UTC) - timedelta(minutes=5)
    heir = site.start()
    site.assert_printed_once(order_id)
    assert heir.sweeps("strays")[0] == 1  # the first look finds it
    assert "restarted" in site.history(order_id)
