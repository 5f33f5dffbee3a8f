"""Gateways that carry paid orders, as processes that tests kill; RunPod's stand-in and a worker."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import Engine, func, select

from contract.signing import new_secret
from contract.status import JobStatus
from gateway import order_book
from gateway.ids import new_id
from gateway.order_book import Lives
from gateway.order_records import Order, OrderEvent, OutboxItem, PrintJobRecord
from gateway.orders import OrderStatus
from gateway.ports import ObjectStore
from gateway.records import Job, Photo, reading, writing
from sandbox.control_plane.worker_api import worker_environ
from sandbox.supervisor import Process, Supervisor
from storage.open import open_store
from tests.gateway.conftest import FACE_MODEL
from tests.gateway.order_stage import payment
from tests.orders.vendors import MailServer, Printer
from tests.sandbox.conftest import free_port
from tests.sandbox.waiting import eventually

ROOT = Path(__file__).parents[2]
LOST_S = 2.0
SWEEPS_UNTIL_MISSED = 6
"""Of rounds that look for dead gateways, so many at most pass until one is found: there are four in
the time after which it counts as dead, one that comes right before that time is over, and one that
was under way."""
BOOK = "moonlit-fox"


@dataclass
class Gateway:
    """A gateway's process."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path
    sweeps_file: Path

    def sweeps(self, name: str) -> list[int]:
        """How much each round of that name did, from the first to the latest that has ended. An
        unmodified gateway doesn't tell."""
        told = self.sweeps_file.read_text() if self.sweeps_file.exists() else ""
        rows = [line.split("\t") for line in told.splitlines()]
        return [int(done) for round_name, done in rows if round_name == name]

    def is_ready(self) -> bool:
        """Whether it takes requests."""
        try:
            return httpx.get(f"{self.url}/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()

    def has_died(self) -> bool:
        return self.process.poll() is not None


@dataclass
class Site:
    """What gateways of a test share. ``ports`` are theirs; the worker calls back to the first.

    Without a ``printer`` and a ``mail_server``, books and letters go into folders.
    """

    folder: Path
    environ: Mapping[str, str]
    ports: tuple[int, int]
    database_url: str
    engine: Engine
    printer: Printer | None = None
    mail_server: MailServer | None = None
    gateways: list[Gateway] = field(default_factory=list)

    @property
    def store(self) -> ObjectStore:
        return open_store(self.environ["OBJECT_STORE_URL"], self.environ)

    def start(
        self, *, module: str = "tests.orders.launcher", port: int = 0, **environ: str
    ) -> Gateway:
        """Start a gateway and wait until it is ready; one that is to die may die before that.
        ``environ`` is for the launcher, too."""
        url = f"http://127.0.0.1:{self.ports[port]}"
        log = self.folder / f"gateway-{len(self.gateways)}.log"
        sweeps = log.with_suffix(".sweeps")
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", module],
                env={
                    **self.environ,
                    "DATABASE_URL": self.database_url,
                    "PORT": str(self.ports[port]),
                    "PUBLIC_URL": url,
                    "SWEEPS": str(sweeps),
                    **environ,
                },
                cwd=ROOT,
                stdout=file,
                stderr=file,
            )
        gateway = Gateway(process, url, log, sweeps)
        self.gateways.append(gateway)
        eventually(lambda: gateway.has_died() or gateway.is_ready(), within_s=60)
        return gateway

    def preview(self) -> str:
        """Ask for a preview; its pages are painted by and by. Returns its id."""
        now = datetime.now(UTC)
        photo_id = new_id()
        with writing(self.engine) as session:
            session.add(
                Photo(
                    photo_id=photo_id,
                    key=f"photos/{photo_id}/original.jpg",
                    sha256="0" * 64,
                    width=640,
                    height=640,
                    size_bytes=1000,
                    face_confidence=0.9,
                    face_area_percent=20.0,
                    created_at=now,
                    expires_at=now + timedelta(days=7),
                )
            )
        url = next(gateway.url for gateway in self.gateways if not gateway.has_died())
        answer = httpx.post(
            f"{url}/api/preview",
            json={"photo_id": photo_id, "book_id": BOOK, "child_name": "Ada"},
            timeout=30,
        )
        assert answer.status_code == 202, answer.text
        preview_id: str = answer.json()["preview_id"]
        return preview_id

    def painted_preview(self) -> str:
        """A preview whose pages are there."""
        preview_id = self.preview()
        eventually(lambda: self._is_painted(preview_id))
        return preview_id

    def _is_painted(self, preview_id: str) -> bool:
        with reading(self.engine) as session:
            jobs = select(Job.status).where(Job.preview_id == preview_id)
            return set(session.scalars(jobs)) == {JobStatus.COMPLETED}

    def pay(self, preview_id: str) -> str:
        """Record a payment, as a webhook does; return the order's id."""
        now = datetime.now(UTC)
        lives = Lives(download=timedelta(days=30), photo=timedelta(days=30))
        with writing(self.engine) as session:
            paid = payment(preview_id, f"cs_{new_id()}", paid_at=now)
            order = order_book.record_payment(session, paid, lives, now)
            assert order
            return order.order_id

    def status(self, order_id: str) -> OrderStatus:
        with reading(self.engine) as session:
            return session.get_one(Order, order_id).status

    def wait_for(self, order_id: str, *wanted: OrderStatus, within_s: float = 60) -> None:
        eventually(lambda: self.status(order_id) in wanted, within_s=within_s)

    def has_left(self, order_id: str) -> bool:
        """Whether all letters about an order were sent."""
        with reading(self.engine) as session:
            return not session.scalars(
                select(OutboxItem.message_id).where(
                    OutboxItem.order_id == order_id, OutboxItem.sent_at.is_(None)
                )
            ).all()

    def history(self, order_id: str) -> list[str]:
        """The kinds of what happened to the order."""
        with reading(self.engine) as session:
            events = select(OrderEvent.kind).where(OrderEvent.order_id == order_id)
            return list(session.scalars(events.order_by(OrderEvent.event_id)))

    def refused_submissions(self, order_id: str) -> int:
        """How often RunPod didn't take a job of the order."""
        with reading(self.engine) as session:
            further = session.scalar(
                select(func.sum(Job.dispatch - 1)).where(Job.order_id == order_id, Job.dispatch > 0)
            )
            return int(further or 0)

    def assert_printed_once(self, order_id: str) -> None:
        """One book, one print job, one letter of each kind; nothing half-written anywhere.

        The times are there only lest a test hang: whether an order waits for longer than it must
        is told by sweeps, never by seconds.
        """
        # A gateway that couldn't note a submission has its claim on it for a minute.
        self.wait_for(order_id, OrderStatus.IN_PRODUCTION, within_s=120)
        eventually(lambda: self.has_left(order_id), within_s=60)
        with reading(self.engine) as session:
            order = session.get_one(Order, order_id)
            records = session.scalars(
                select(PrintJobRecord).where(PrintJobRecord.order_id == order_id)
            ).all()
            submissions = session.scalars(
                select(OrderEvent.event_id).where(
                    OrderEvent.order_id == order_id,
                    OrderEvent.after == OrderStatus.IN_PRODUCTION,
                )
            ).all()
        assert order.files
        assert len(records) == len(submissions) == 1
        parts = {
            part: self.store.get(order.files[part]["key"], 10**9) for part in ("full_book", "cover")
        }
        if self.printer:
            assert self.printer.jobs(order_id) == [f"{order_id}-1"]
        else:
            self._assert_dropped_once(order_id, parts)
        letters = [f"{order_id}.book_ready", f"{order_id}.order_confirmed"]
        assert self._letters(order_id) == letters
        leftovers = list(self.folder.rglob(".part-*"))
        assert not leftovers

    def _assert_dropped_once(self, order_id: str, parts: Mapping[str, bytes]) -> None:
        jobs = [path.name for path in self.drop.iterdir() if order_id in path.name]
        assert jobs == [f"{order_id}-1"]
        job = self.drop / jobs[0]
        told = json.loads((job / "job.json").read_text())
        assert told["external_id"] == f"{order_id}-1"
        for part, stored in parts.items():
            assert stored == (job / f"{part}.pdf").read_bytes()

    def _letters(self, order_id: str) -> Sequence[str]:
        if self.mail_server:
            return self.mail_server.letters(order_id)
        return sorted(
            path.name.removesuffix(".eml") for path in self.mail.iterdir() if order_id in path.name
        )

    @property
    def drop(self) -> Path:
        return self.folder / "print_jobs"

    @property
    def mail(self) -> Path:
        return self.folder / "mail"

    def close(self) -> None:
        for gateway in self.gateways:
            if not gateway.has_died():
                gateway.process.send_signal(signal.SIGKILL)
                gateway.process.wait()
        self.engine.dispose()


@dataclass
class Base:
    """RunPod's stand-in at ``origin`` and its workers, as processes."""

    supervisor: Supervisor
    environ: Mapping[str, str]
    ports: tuple[int, int]
    origin: str
    silence: Path

    def arm(self, operation: str, status: int, count: int) -> None:
        """Let the next ``count`` calls of an operation of RunPod's fail by ``status``."""
        answer = httpx.post(
            f"{self.origin}/sandbox/sandbox/faults",
            json={"operation": operation, "status": status, "count": count},
            headers={"Authorization": "Bearer api"},
        )
        assert answer.status_code == 200, answer.text

    @contextmanager
    def without_callbacks(self) -> Iterator[None]:
        """Neither the workers nor RunPod tell the gateway of a job's end."""
        self.silence.touch()
        self.arm("webhook", 200, 10**6)
        try:
            yield
        finally:
            self.arm("webhook", 200, 0)
            self.silence.unlink()


@contextmanager
def running_site(folder: Path, books_dir: Path, store: Mapping[str, str]) -> Iterator[Base]:
    """RunPod's stand-in and two workers, and the environment of gateways that use them.
    ``store`` is the environment that names the object store."""
    origin = f"http://127.0.0.1:{free_port()}"
    ports = (free_port(), free_port())
    secret = new_secret()
    silence = folder / "silence"
    base = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUNBUFFERED": "1"}
    plane = Process(
        name="plane",
        argv=[sys.executable, "-m", "sandbox.control_plane", "--port", origin.rpartition(":")[2]],
        env={
            **base,
            "SANDBOX_API_KEY": "api",
            "SANDBOX_WORKER_KEY": "work",
            "SANDBOX_POLL_S": "0.5",
            "SANDBOX_TICK_S": "0.1",
            "SANDBOX_FAULTS": "1",
        },
        log=folder / "plane.log",
        cwd=ROOT,
        ready_url=f"{origin}/ready",
    )
    painters = [
        Process(
            name=name,
            argv=[sys.executable, "-m", "tests.orders.painter"],
            env={
                **base,
                **worker_environ(origin, "sandbox", worker_id=name, key="work"),
                **store,
                "CALLBACK_URL": f"http://127.0.0.1:{ports[0]}/webhooks/runpod/status",
                "CALLBACK_SECRET": secret,
                "SILENCE_FILE": str(silence),
            },
            log=folder / f"{name}.log",
            cwd=ROOT,
            stage=1,
        )
        for name in ("painter-1", "painter-2")
    ]
    environ = {
        **base,
        **store,
        "BOOKS_DIR": str(books_dir),
        "PAGE_LOOK": "draft",
        "APP_SECRET": "a-secret-of-at-least-thirty-two-characters",
        "CALLBACK_SECRET": secret,
        "RUNPOD_API_URL": f"{origin}/v2",
        "RUNPOD_ENDPOINT_ID": "sandbox",
        "RUNPOD_API_KEY": "api",
        "RUNPOD_WEBHOOK_TOKEN": "a-token-of-at-least-thirty-two-characters",
        "FACE_MODEL_PATH": str(FACE_MODEL),
        "PRINT_PROFILE": "square_8_5",
        "GATEWAY_LOST_S": str(LOST_S),
        "PRINT_SETTLE_S": "1",
        "JOB_QUIET_S": "3",
        "ORDER_SHARD_PAGES": "9",
        "LOG_LEVEL": "INFO",
    }
    with Supervisor([plane, *painters]) as supervisor:
        yield Base(supervisor, environ, ports, origin, silence)
