"""Status polls per second of the gateway, beside a bare Starlette JSON route in the same run.

``python -m benchmarks.status_polls`` starts both under uvicorn with the same options, one process
each, and asks them in turn, round by short round. A machine's speed changes from one second to
the next, so each round is compared with its own neighbour, and the median of these ratios counts.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.load import Target, requests_per_second
from sandbox.stack import HOST, ROOT, Stack
from sandbox.supervisor import Process, Supervisor

GOAL = 0.7


@dataclass(frozen=True)
class Measured:
    """Requests per second, one number for each round."""

    name: str
    rounds: list[float]

    @property
    def median(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.rounds)

    def ratio_to(self, other: "Measured") -> float:
        """The median, over the rounds, of this one's rate by the other's in the same round."""
        return statistics.median(
            mine / its for mine, its in zip(self.rounds, other.rounds, strict=True)
        )


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[Target, Target]]:
    """Both servers up: the bare route and the poll of a waiting job."""
    stack = Stack(
        state_dir=folder,
        environ=os.environ,
        books_dir=ROOT / "build" / "books",
        face_min_area_percent=3.0,
        extra={"RATE_READS": "999999999/second"},  # counted, as in production, but never refused
    )
    # No worker: the job stays in the queue, and nothing else takes the processor.
    ours = [spec for spec in stack.processes() if not spec.name.startswith("worker")]
    bare_port = int(Stack(state_dir=folder, environ={}).gateway_url.rpartition(":")[2])
    argv = [sys.executable, "-m", "uvicorn", "benchmarks.bare:app", "--no-access-log"]
    argv += ["--no-proxy-headers", "--port", str(bare_port), "--log-level", "warning"]
    bare = Process(
        name="bare",
        argv=argv,
        env=dict(os.environ),
        log=folder / "bare.log",
        cwd=ROOT,
        ready_url=f"http://{HOST}:{bare_port}/status",
    )
    for name in ("store", "home", "logs"):
        (stack.state / name).mkdir(parents=True, exist_ok=True)
    with Supervisor([bare, *ours]):
        poll = _waiting_job(stack.gateway_url)
        yield Target(HOST, bare_port, "/status", {}), poll


def _waiting_job(url: str) -> Target:
    """Order a preview as a shop does, and return the poll of its status."""
    portrait = (files("skimage") / "data" / "astronaut.png").read_bytes()
    with httpx.Client(base_url=url, timeout=60) as client:
        photo = client.post("/api/upload-photo", files={"file": portrait}).raise_for_status().json()
        book = client.get("/api/books").raise_for_status().json()["books"][0]
        wanted = {"photo_id": photo["photo_id"], "book_id": book["id"], "child_name": "Ada"}
        job = client.post("/api/preview", json=wanted).raise_for_status().json()
    port = int(url.rpartition(":")[2])
    headers = {"Authorization": f"Bearer {job['access_token']}"}
    return Target(HOST, port, f"/api/preview-status/{job['job_id']}", headers)


def _settled_etag(target: Target) -> str:
    """The ETag of the job's state once it has stopped changing: it is submitted, and waits."""
    url = f"http://{target.host}:{target.port}{target.path}"
    etag = ""
    while True:
        headers = {**target.headers, "Prefer": "wait=2", "If-None-Match": etag}
        answer = httpx.get(url, headers=headers)
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return etag
        etag = answer.raise_for_status().headers["ETag"]


def measure(*, rounds: int, seconds: float, connections: int) -> list[Measured]:
    """Ask each in turn, ``rounds`` times for ``seconds``; the first, warming round isn't kept."""
    with (
        tempfile.TemporaryDirectory(prefix="foxetales-bench-") as folder,
        _servers(Path(folder)) as (bare, poll),
    ):
        unchanged = replace(
            poll, headers={**poll.headers, "If-None-Match": _settled_etag(poll)}, expect=304
        )
        targets = {"bare route": bare, "status poll": poll, "unchanged (304)": unchanged}
        counts: dict[str, list[float]] = {name: [] for name in targets}
        for _ in range(rounds + 1):
            for name, target in targets.items():
                counts[name].append(
                    requests_per_second(target, connections=connections, seconds=seconds)
                )
    return [Measured(name, values[1:]) for name, values in counts.items()]


def main() -> int:
    """Measure, print the table, write the JSON; the status is 0 if the goal is met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.status_polls", description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=0.6)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "benchmarks")
    arguments = parser.parse_args()
    results = measure(
        rounds=arguments.rounds, seconds=arguments.seconds, connections=arguments.connections
    )
    bare, poll, _ = results
    table = Table("route", "polls/s (median)", "of the bare route")
    for result in results:
        table.add_row(result.name, f"{result.median:,.0f}", f"{result.ratio_to(bare):.2f}")
    Console().print(table)
    ratio = poll.ratio_to(bare)
    Console().print(f"goal: at least {GOAL} of the bare route; measured: {ratio:.2f}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    document = {
        "goal": GOAL,
        "ratio": round(ratio, 3),
        "rounds": {result.name: [round(value, 1) for value in result.rounds] for result in results},
    }
    (arguments.out / "status_polls.json").write_text(json.dumps(document, indent=2) + "\n")
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
