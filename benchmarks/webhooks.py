"""Stripe's events per second that the gateway accepts: signature checked, recorded, answered.

``python -m benchmarks.webhooks`` starts a gateway as it is in production, on SQLite, and posts
events to it that are all different, each signed by Stripe's own library, over connections that are
kept. Each round is followed by a pause in which the gateway handles what it took; how long that
takes is told beside it, since a gateway that is flooded does both at once.
"""

import argparse
import json
import os
import selectors
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import stripe
from rich.console import Console
from rich.table import Table

from benchmarks.load import LoadError
from sandbox.stack import ROOT, Stack
from sandbox.supervisor import Supervisor

GOAL = 300
PATH = "/webhooks/stripe"
SECRET = "whsec_benchmark"
_GOOD = b"HTTP/1.1 200 "
_ids = count(1)


@dataclass(frozen=True)
class Round:
    """One round: events accepted, the seconds that took, and each answer's time in seconds.
    ``handled_s`` is how long the gateway was busy with them, counted from the first event."""

    seconds: float
    latencies: list[float]
    handled_s: float

    @property
    def per_second(self) -> float:
        """Events that were accepted per second."""
        return len(self.latencies) / self.seconds


@contextmanager
def _gateway(folder: Path) -> Iterator[tuple[str, Path]]:
    """A gateway alone: its origin and its database."""
    stack = Stack(
        state_dir=folder,
        environ=os.environ,
        books_dir=ROOT / "build" / "books",
        extra={"STRIPE_WEBHOOK_SECRETS": SECRET},
    )
    for name in ("store", "home", "logs"):
        (stack.state / name).mkdir(parents=True, exist_ok=True)
    with Supervisor([spec for spec in stack.processes() if spec.name == "gateway"]):
        yield stack.gateway_url, stack.state / "foxetales.db"


def _request(host: str) -> bytes:
    """The next event as bytes on the wire. It is about a sale of somebody else on the same account:
    so nothing but the inbox works."""
    number = next(_ids)
    session = {
        "id": f"cs_live_{number}",
        "object": "checkout.session",
        "livemode": True,
        "status": "complete",
        "payment_status": "paid",
        "payment_intent": f"pi_{number}",
        "amount_total": 3900,
        "currency": "usd",
        "customer_details": {"email": "parent@example.com", "name": "Ada Lovelace"},
        "metadata": {},
        # Stripe's sessions have about 4 kB.
        "padding": "x" * 3000,
    }
    event = {
        "id": f"evt_{number}",
        "object": "event",
        "type": "checkout.session.completed",
        "created": int(time.time()),
        "livemode": True,
        "data": {"object": session},
    }
    body = json.dumps(event)
    signature = stripe.WebhookSignature.generate_signature_header(body, SECRET)
    head = [
        f"POST {PATH} HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"Stripe-Signature: {signature}",
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def _post_all(host: str, requests: Sequence[bytes], connections: int) -> tuple[float, list[float]]:
    """Post each request once, one in flight on each connection; return the seconds it took, and
    each answer's time.

    Raises:
        LoadError: an answer isn't 200.
    """
    name, _, port = host.partition(":")
    waiting = iter(requests)
    sent_at: dict[socket.socket, float] = {}
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:
        connection: socket.socket
        start = time.perf_counter()
        for _, request in zip(range(connections), waiting, strict=False):
            connection = socket.create_connection((name, int(port)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ, connection)
            sent_at[connection] = time.perf_counter()
            connection.sendall(request)
        while selector.get_map():
            for key, _ in selector.select():
                connection = key.data
                _read_answer(connection)
                now = time.perf_counter()
                latencies.append(now - sent_at[connection])
                following = next(waiting, None)
                if following is None:
                    selector.unregister(connection)
                    connection.close()
                else:
                    sent_at[connection] = now
                    connection.sendall(following)
        return time.perf_counter() - start, latencies


def _read_answer(connection: socket.socket) -> None:
    data = b""
    while not data.endswith(b'{"received":true}'):
        piece = connection.recv(65536)
        data += piece
        if not piece or not data.startswith(_GOOD[: len(data)]):
            raise LoadError(data[:200].decode(errors="replace") or "the connection was closed")


def _wait_until_handled(database: Path, expected: int) -> None:
    """Wait until the inbox has nothing to do, and check that it has every event, once."""
    query = "SELECT count(*), count(due_at) FROM inbox"
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        while True:
            recorded, due = connection.execute(query).fetchone()
            if recorded != expected:
                raise LoadError(f"{expected} events were accepted, {recorded} recorded")
            if due == 0:
                return
            time.sleep(0.05)


def measure(*, rounds: int, events: int, connections: int) -> list[Round]:
    """Post ``events`` in each round; the first, warming round isn't kept."""
    found = []
    with (
        tempfile.TemporaryDirectory(prefix="foxetales-bench-") as folder,
        _gateway(Path(folder)) as (url, database),
    ):
        host = url.removeprefix("http://")
        for number in range(rounds + 1):
            requests = [_request(host) for _ in range(events)]
            begun = time.perf_counter()
            seconds, latencies = _post_all(host, requests, connections)
            _wait_until_handled(database, (number + 1) * events)
            found.append(Round(seconds, latencies, time.perf_counter() - begun))
    return found[1:]


def main() -> int:
    """Measure, print the table, write the JSON; the status is 0 if the goal is met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webhooks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--events", type=int, default=1500)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "benchmarks")
    arguments = parser.parse_args()
    results = measure(
        rounds=arguments.rounds, events=arguments.events, connections=arguments.connections
    )
    rate = statistics.median(result.per_second for result in results)
    latencies = [latency for result in results for latency in result.latencies]
    cuts = statistics.quantiles(latencies, n=100)
    handled = statistics.median(arguments.events / result.handled_s for result in results)
    summary = {
        "accepted_per_s": round(rate, 1),
        "p50_ms": round(cuts[49] * 1000, 2),
        "p99_ms": round(cuts[98] * 1000, 2),
        "slowest_ms": round(max(latencies) * 1000, 2),
        "accepted_and_handled_per_s": round(handled, 1),
    }
    table = Table("", "measured")
    for name, value in summary.items():
        table.add_row(name, f"{value:,}")
    Console().print(table)
    Console().print(f"goal: at least {GOAL} a second; measured: {rate:,.0f}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    document = {
        "goal": GOAL,
        **summary,
        "connections": arguments.connections,
        "rounds": [round(result.per_second, 1) for result in results],
    }
    (arguments.out / "webhooks.json").write_text(json.dumps(document, indent=2) + "\n")
    return 0 if rate >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
