import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from contract.result import STATUS_MESSAGE, JobResult, Progress
from contract.signing import InvalidSignature, new_secret, verify
from contract.status import JobStatus
from handler.adapters.signed_callback import SignedCallback
from tests.handler.fakes import FakeClock

pytestmark = pytest.mark.anyio
SECRET = new_secret()
RESULT = JobResult(
    job_id="job-1", dispatch=2, run=1000, seq=9, status=JobStatus.COMPLETED, pages=[]
)
PROGRESS = Progress(job_id="job-1", dispatch=2, run=1000, seq=3, progress=0.5, current_step="Paint")


class RealTimeFakeClock(FakeClock):
    """Sleeps take no time, but the date is today's: signatures expire after five minutes."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class Gateway(ThreadingHTTPServer):
    """Answers with the statuses it was given, in order, then with 204; keeps what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), GatewayRequest)
        self.statuses: list[int] = []
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.gate = threading.Event()
        self.gate.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/webhooks/runpod/status"


class GatewayRequest(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append((dict(self.headers.items()), body))
        self.server.gate.wait(20)
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = Gateway()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


def callback_to(url: str) -> SignedCallback:
    return SignedCallback(url, SECRET, RealTimeFakeClock())


@pytest.mark.parametrize("message", [RESULT, PROGRESS])
async def test_the_gateway_can_verify_and_read_what_it_gets(
    gateway: Gateway, message: JobResult | Progress
) -> None:
    callback = callback_to(gateway.url)
    if isinstance(message, JobResult):
        await callback.send_result(message)
    else:
        await callback.send_progress(message)
    [(headers, body)] = gateway.received
    assert verify([SECRET], headers, body) == f"job-1.2.1000.{message.seq}"
    assert STATUS_MESSAGE.validate_json(body) == message
    with pytest.raises(InvalidSignature):
        verify([SECRET], headers, body + b" ")


async def test_a_result_is_retried_under_one_id_until_it_is_delivered(gateway: Gateway) -> None:
    gateway.statuses = [500, 503, 429]
    callback = callback_to(gateway.url)
    await callback.send_result(RESULT)
    await callback.settle()
    assert len(gateway.received) == 4
    assert {verify([SECRET], *request) for request in gateway.received} == {"job-1.2.1000.9"}


async def test_the_job_goes_on_while_a_result_is_retried(gateway: Gateway) -> None:
    gateway.statuses = [500]
    callback = callback_to(gateway.url)
    await callback.send_result(RESULT)
    assert len(gateway.received) == 1
    await callback.settle()
    assert len(gateway.received) == 2


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410])
async def test_a_refusal_is_final(gateway: Gateway, status: int) -> None:
    gateway.statuses = [status]
    callback = callback_to(gateway.url)
    await callback.send_result(RESULT)
    await callback.settle()
    assert len(gateway.received) == 1


async def test_a_gateway_that_stays_away_is_given_up_after_a_minute() -> None:
    clock = RealTimeFakeClock()
    callback = SignedCallback("http://127.0.0.1:9/nobody", SECRET, clock)
    await callback.send_result(RESULT)
    await callback.settle()
    assert 60 <= clock.seconds <= 70
    assert all(0.25 <= pause <= 10 for pause in clock.sleeps)


async def test_lost_progress_is_not_retried(gateway: Gateway) -> None:
    gateway.statuses = [500]
    callback = callback_to(gateway.url)
    await callback.send_progress(PROGRESS)
    await callback.settle()
    assert len(gateway.received) == 1


async def test_a_gateway_that_hangs_costs_progress_a_short_time(gateway: Gateway) -> None:
    gateway.gate.clear()
    async with asyncio.timeout(10):
        await callback_to(gateway.url).send_progress(PROGRESS)
