"""A hundred paid orders at once, with workers that paint in no time: on SQLite and on PostgreSQL.

``python -m benchmarks.orders`` starts a real gateway, RunPod's stand-in and two SDK workers on each
database in turn, pays for the orders, and waits until all are with the printer. It tells how long
that took, how often each order was printed, and which share of the runs' time wasn't spent in a
step: that is the durable engine, with its waiting for a free place in its queue told apart.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from gateway.migrations import upgrade
from gateway.orders import OrderStatus
from gateway.records import open_engine
from tests.orders.site import Site, running_site
from tests.servers import postgres_server

BOOKS = Path(__file__).parents[1] / "build" / "books"
PATIENCE_S = 1800.0


@dataclass(frozen=True)
class Measured:
    """One database's run. Seconds; shares are of the runs' own time, from their start to their end.

    ``waiting_s`` is how long the median run waited for a place.
    """

    database: str
    orders: int
    seconds: float
    printed_twice: int
    step_share: dict[str, float]
    engine_share: float
    waiting_s: float

    @property
    def orders_per_minute(self) -> float:
        """How many orders were carried to the printer in a minute."""
        return 60 * self.orders / self.seconds


@contextmanager
def _site(folder: Path, database_url: str) -> Iterator[Site]:
    store = {"OBJECT_STORE_URL": f"file://{folder}/store"}
    with running_site(folder, BOOKS, store) as base:
        engine = open_engine(database_url)
        upgrade(engine)
        own = {
            "MAIL_OUTBOX_DIR": f"{folder}/mail",
            "PRINT_DROP_DIR": f"{folder}/print_jobs",
            "RATE_PREVIEWS": "off",
            "LOG_LEVEL": "WARNING",
        }
        site = Site(folder, {**base.environ, **own}, base.ports, database_url, engine)
        try:
            yield site
        finally:
            site.close()


def _measure(database: str, database_url: str, folder: Path, orders: int) -> Measured:
    with _site(folder, database_url) as site:
        gateway = site.start()
        previews = [site.preview() for _ in range(orders)]
        gateway.kill()  # nothing is carried while the orders are being paid
        paid = [site.pay(preview) for preview in previews]
        began = time.monotonic()
        site.start()
        for order_id in paid:
            site.wait_for(order_id, OrderStatus.IN_PRODUCTION, within_s=PATIENCE_S)
        seconds = time.monotonic() - began
        dropped = [path.name for path in site.drop.iterdir()]
        assert {f"{order_id}-1" for order_id in paid} == set(dropped)
        shares, engine_share, waiting_s = _where_time_goes(site.engine)
    return Measured(
        database, orders, seconds, len(dropped) - orders, shares, engine_share, waiting_s
    )


def _where_time_goes(engine: Engine) -> tuple[dict[str, float], float, float]:
    """The share of each step, and what is left, over all runs; and how long runs waited."""
    schema = "dbos." if engine.dialect.name == "postgresql" else ""
    with engine.connect() as connection:
        runs = connection.execute(
            text(
                "SELECT created_at, started_at_epoch_ms, completed_at"
                f" FROM {schema}workflow_status WHERE status = 'SUCCESS' AND name = 'fulfil'"
            )
        ).all()
        steps = connection.execute(
            text(
                "SELECT function_name, SUM(completed_at_epoch_ms - started_at_epoch_ms)"
                f" FROM {schema}operation_outputs GROUP BY function_name"
            )
        ).all()
    total = sum(ended - started for _, started, ended in runs)
    shares = {name: float(spent) / total for name, spent in steps if spent}
    waits = sorted((started - created) / 1000 for created, started, _ in runs)
    # Moments are kept in whole milliseconds: what is left may come out a little below nothing.
    return shares, max(0.0, 1 - sum(shares.values())), waits[len(waits) // 2]


def _told(measured: list[Measured]) -> None:
    table = Table(title="Orders at once")
    for column in ("database", "orders", "seconds", "a minute", "twice", "engine", "steps"):
        table.add_column(column)
    for run in measured:
        steps = ", ".join(f"{name} {share:.0%}" for name, share in run.step_share.items())
        table.add_row(
            run.database,
            str(run.orders),
            f"{run.seconds:.0f}",
            f"{run.orders_per_minute:.1f}",
            str(run.printed_twice),
            f"{run.engine_share:.1%}",
            steps,
        )
    Console(width=140).print(table)


def main() -> None:
    """Measure and tell; write JSON to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks/orders.json"))
    given = parser.parse_args()
    measured = []
    with tempfile.TemporaryDirectory() as folder, postgres_server() as postgres:
        databases = {
            "SQLite": f"sqlite:///{folder}/gateway.db",
            "PostgreSQL": postgres.url(postgres.new_database()),
        }
        for name, url in databases.items():
            with tempfile.TemporaryDirectory() as own:
                measured.append(_measure(name, url, Path(own), given.orders))
    _told(measured)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([asdict(run) for run in measured], indent=2))


if __name__ == "__main__":
    main()
