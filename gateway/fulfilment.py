"""Carrying paid orders to the printer, durably: one DBOS workflow a run of an order.

A run's id is its order's id, with the run's number from the second one on. DBOS keeps which steps
of a run are done, and how; a run whose process died goes on in another one after the last of them.
What a step does is in ``gateway.fulfilment_steps``; this module decides only what comes next.

Steps are tried three times, with growing pauses; then the order is parked for the desk.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from dbos import DBOS, DBOSConfig, SetWorkflowID
from sqlalchemy import Engine, delete, or_, select
from sqlalchemy.exc import SQLAlchemyError

from gateway import order_book
from gateway.due import SLACK
from gateway.order_records import GatewayProcess, Order
from gateway.orders import WORKING, Stage
from gateway.ports import Clock
from gateway.processes import ThisProcess
from gateway.records import reading, writing
from gateway.run_errors import RunStopped, StepBusy, StepFailed

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 3
"""How often a step is tried before the desk has to look."""

VERSION: Final = "fulfilment-2"
"""Runs go on after a deployment as long as this stays. Change it if the order of steps changes:
runs of the older version are then begun again, which the steps allow."""

QUEUE: Final = "fulfilment"

_FIRST_PAUSE_S: Final = 2.0
_BUSY_PAUSE_S: Final = 10.0
STRAY_AFTER: Final = timedelta(minutes=2)
"""Silence of an order at work after which it is looked whether it has a living run."""

_PENDING: Final = ["PENDING", "ENQUEUED", "DELAYED"]


class Verdict(StrEnum):
    """How one try of a step ended."""

    DONE = "done"
    STOPPED = "stopped"
    BUSY = "busy"
    AGAIN = "again"
    FAILED = "failed"


def run_id(order_id: str, run: int) -> str:
    """Return the workflow id of an order's run."""
    return order_id if run == 1 else f"{order_id}.{run}"


def pause_s(order_id: str, stage: Stage, attempt: int) -> float:
    """Return the pause after a failed attempt (from 1), in seconds: 2, 8, 32 … of which up to a
    half is taken off, differently for each order and always the same for this one, since DBOS
    replays runs."""
    digest = hashlib.sha256(f"{order_id}/{stage}/{attempt}".encode()).digest()
    jitter = digest[0] / 255
    return _FIRST_PAUSE_S * 4.0 ** (attempt - 1) * (1 - jitter / 2)


@dataclass(frozen=True)
class Fulfilment:
    """Starts runs and takes over those of gateways that died. One a process.

    ``steps`` are carried out in their order; ``database_url`` is SQLAlchemy's, of the database in
    which DBOS keeps its tables; ``process`` is this one; ``at_once`` bounds the runs
    that this process carries out at a time; ``set_clock`` sets the clock to that of the other
    gateways, before this one is compared with them.
    """

    engine: Engine
    clock: Clock
    steps: Mapping[Stage, Callable[[str], None]]
    database_url: str
    process: ThisProcess
    at_once: int
    set_clock: Callable[[], None]

    def open(self) -> None:
        """Let DBOS begin. Blocks until its tables are there."""
        config: DBOSConfig = {
            "name": "foxetales",
            "system_database_url": self.database_url,
            "application_version": VERSION,
            "executor_id": self.process.executor_id,
            "enable_otlp": False,
            "log_level": "WARNING",
        }
        DBOS(config=config)
        _register(self)
        self.beat()
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=self.at_once, polling_interval_sec=0.5)

    def close(self) -> None:
        """Stop. Runs that are at work go on in the next process."""
        DBOS.destroy(destroy_registry=True)
        with writing(self.engine) as session:
            process = session.get(GatewayProcess, self.process.executor_id)
            if process is not None:
                # As if it had been silent for long: another gateway takes over at once.
                process.seen_at = self.clock.now() - self.process.lost_after

    def beat(self) -> None:
        """Say that this process is alive."""
        self.set_clock()
        now = self.clock.now()
        with writing(self.engine) as session:
            session.merge(
                GatewayProcess(executor_id=self.process.executor_id, started_at=now, seen_at=now)
            )

    def start_due(self, limit: int = 50) -> int:
        """Start the runs that are due; return how many there were.

        ``run_due_at`` says since when, not from when: a clock that was set back delays nobody.
        """
        with reading(self.engine) as session:
            due = session.execute(
                select(Order.order_id, Order.run)
                .where(Order.run_due_at.is_not(None))
                .order_by(Order.run_due_at)
                .limit(limit)
            ).all()
        for order_id, run in due:
            with SetWorkflowID(run_id(order_id, run)):
                DBOS.enqueue_workflow(QUEUE, _registered["fulfil"], order_id)
            with writing(self.engine) as session:
                order = order_book.lock_order(session, order_id)
                if order is not None and order.run == run:
                    order.run_due_at = None
        return len(due)

    def take_over(self) -> int:
        """Go on with the runs of gateways that died; return how many gateways there were."""
        # A machine that slept would else take the others to be ahead of the time.
        self.set_clock()
        with reading(self.engine) as session:
            dead = session.scalars(
                select(GatewayProcess.executor_id).where(
                    ~self.process.is_alive(self.clock.now()),
                    GatewayProcess.executor_id != self.process.executor_id,
                )
            ).all()
        for executor_id in dead:
            # DBOS does this by itself only for a process that comes back under its old id. A run is
            # handed out only if it is still the dead one's, so two gateways may try at once.
            taken = DBOS._recover_pending_workflows([executor_id])
            if taken:  # a gateway that was stopped between runs leaves none
                logger.warning("took over a dead gateway's runs", extra={"runs": len(taken)})
            with writing(self.engine) as session:
                session.execute(
                    delete(GatewayProcess).where(
                        GatewayProcess.executor_id == executor_id,
                        ~self.process.is_alive(self.clock.now()),
                    )
                )
        return len(dead)

    def start_strays(self, limit: int = 50) -> int:
        """Begin a new run of orders that are to be worked on and have no living run: one that DBOS
        gave up, or whose database was restored. Return how many there were."""
        now = self.clock.now()
        with reading(self.engine) as session:
            quiet = session.execute(
                select(Order.order_id, Order.run)
                .where(Order.status.in_(WORKING), Order.run_due_at.is_(None))
                .where(or_(Order.updated_at <= now - STRAY_AFTER, Order.updated_at > now + SLACK))
                # The longest silence first, so that living runs hide no stray for long. Who was
                # seen in the future has been silent since before the clock was set back.
                .order_by(Order.updated_at <= now, Order.updated_at)
                .limit(limit)
            ).all()
        if not quiet:
            return 0
        runs = {run_id(order_id, run): order_id for order_id, run in quiet}
        living = {
            status.workflow_id
            for status in DBOS.list_workflows(
                workflow_ids=list(runs),
                status=_PENDING,
                app_version=VERSION,  # nobody goes on with the runs of another
                load_input=False,
                load_output=False,
            )
        }
        strays = [order_id for run, order_id in runs.items() if run not in living]
        for order_id in strays:
            self._restart(order_id, now)
        return len(strays)

    def _restart(self, order_id: str, now: datetime) -> None:
        with writing(self.engine) as session:
            order = order_book.lock_order(session, order_id)
            if order is None or order.status not in WORKING or order.run_due_at is not None:
                return
            order.run += 1
            order.run_due_at = order.updated_at = now
            order_book.record(session, order, now, actor=order_book.SYSTEM, kind="restarted")

    def attempt(self, stage: Stage, order_id: str) -> dict[str, Any]:
        """Try a step once; return its verdict, reason and least pause, as DBOS keeps them."""
        try:
            self.steps[stage](order_id)
        except RunStopped:
            return _verdict(Verdict.STOPPED)
        except StepBusy:
            return _verdict(Verdict.BUSY)
        except StepFailed as error:
            verdict = Verdict.AGAIN if error.again else Verdict.FAILED
            return _verdict(verdict, error.reason, error.pause_s)
        except SQLAlchemyError as error:
            logger.warning("database failed", extra={"order_id": order_id, "stage": stage})
            return _verdict(Verdict.AGAIN, f"database_unavailable: {type(error).__name__}")
        except Exception as error:
            # A step must not end a run: what nobody foresaw is tried again, and then parked.
            logger.exception("unforeseen error", extra={"order_id": order_id, "stage": stage})
            return _verdict(Verdict.AGAIN, f"internal: {type(error).__name__}")
        return _verdict(Verdict.DONE)

    def park(self, stage: Stage, order_id: str, reason: str) -> None:
        """Leave the order to the desk."""
        facts = {"order_id": order_id, "stage": stage, "reason": reason}
        logger.warning("order parked", extra=facts)
        with writing(self.engine) as session:
            order = order_book.lock_order(session, order_id)
            assert order is not None
            order_book.park(session, order, stage, reason, self.clock.now())


def _register(fulfilment: Fulfilment) -> None:
    """Tell DBOS of the workflow. It knows workflows by name and process: so there is one."""

    @DBOS.workflow(name="fulfil")
    def fulfil(order_id: str) -> str:
        for stage in fulfilment.steps:
            verdict = _until_it_ends(fulfilment, stage, order_id)
            if verdict is not Verdict.DONE:
                return verdict
        return Verdict.DONE

    _registered["fulfil"] = fulfil


_registered: dict[str, Callable[[str], str]] = {}


def _until_it_ends(fulfilment: Fulfilment, stage: Stage, order_id: str) -> Verdict:
    attempt = 1
    while True:
        told = DBOS.run_step({"name": stage}, fulfilment.attempt, stage, order_id)
        verdict = Verdict(told["verdict"])
        if verdict in (Verdict.DONE, Verdict.STOPPED):
            return verdict
        if verdict is Verdict.BUSY:
            _pause(_BUSY_PAUSE_S)
            continue
        if verdict is Verdict.FAILED or attempt >= ATTEMPTS:
            DBOS.run_step({"name": "park"}, fulfilment.park, stage, order_id, told["reason"])
            return Verdict.FAILED
        _pause(max(told["pause_s"], pause_s(order_id, stage, attempt)))
        attempt += 1


def _pause(seconds: float) -> None:
    """Let some time go by. A run whose process dies meanwhile begins its pause anew.

    DBOS's own sleep keeps the moment of its end: a machine whose clock was set back would sleep for
    as much longer.
    """
    DBOS.run_step({"name": "pause"}, time.sleep, seconds)


def _verdict(verdict: Verdict, reason: str = "", least_pause_s: float = 0.0) -> dict[str, Any]:
    return {"verdict": verdict, "reason": reason, "pause_s": least_pause_s}
