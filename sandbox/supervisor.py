"""Starts processes, waits until they are ready, restarts those that die, and stops them all."""

import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import FrameType, TracebackType

import httpx

from sandbox.units import MARK, sweep

READY_EVERY_S = 0.1
BACKOFF_FIRST_S = 0.2
BACKOFF_MOST_S = 10.0
# One that ran this long had nothing wrong with its start: its next restart is quick again.
STEADY_S = 30.0


class SupervisorError(Exception):
    """A process can't be had; the message names it and ends in the tail of its log."""


class ProcessDied(SupervisorError):
    """It ended before it was ready."""


class NotReady(SupervisorError):
    """It did not become ready within its time."""


@dataclass(frozen=True)
class Process:
    """What to run.

    `env` is the whole environment. Ready means that `ready_url` answers GET with 200, or, without
    one, that the process runs. Those of one `stage` start and stop together; stages start in
    rising order and stop in falling order. `grace_s` is the time between SIGTERM and SIGKILL.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    cwd: Path | None = None
    ready_url: str | None = None
    ready_within_s: float = 60.0
    stage: int = 0
    restart: bool = False
    grace_s: float = 10.0


@dataclass
class _Child:
    """A process and what became of it."""

    spec: Process
    mark: str
    popen: "subprocess.Popen[bytes] | None" = None
    watcher: threading.Thread | None = None
    starts: int = 0
    swept: threading.Event = field(default_factory=threading.Event)


class Supervisor:
    """A set of processes with one life: `with Supervisor(processes) as supervisor: …`.

    Each process gets a session of its own, so that Ctrl-C reaches only the supervisor. When one
    ends, everything it started is ended too, as in a container. A small reaper process does the
    same for all of them if the supervisor itself is killed. `mark` is what `units.members` finds
    them all by.
    """

    def __init__(
        self, processes: Sequence[Process], *, notify: Callable[[str], None] | None = None
    ) -> None:
        self.mark = secrets.token_hex(8)
        self._children = {
            spec.name: _Child(spec, f"{self.mark}/{spec.name}")
            for spec in sorted(processes, key=lambda spec: spec.stage)
        }
        self._notify = notify or (lambda _: None)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._dead: str | None = None
        self._reaper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Supervisor":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start every stage and wait until it is ready; stops everything if one can't be had.

        Raises ProcessDied, NotReady, OSError.
        """
        self._reaper = subprocess.Popen(
            [sys.executable, "-m", "sandbox.reaper", self.mark],
            stdin=subprocess.PIPE,
            start_new_session=True,
            cwd=Path(__file__).parents[1],
        )
        try:
            for children in self._stages():
                for child in children:
                    self._spawn(child)
                for child in children:
                    self.wait_ready(child.spec.name)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything, the last stage first; returns when nothing is left. Idempotent."""
        with self._lock:
            self._stopping.set()
        self._wake.set()
        for children in reversed(self._stages()):
            for child in children:
                _send(child.popen, signal.SIGTERM)
            for child in children:
                self._finish(child)
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.close()
            self._reaper.wait()
            self._reaper = None

    def wait_ready(self, name: str, within_s: float | None = None) -> None:
        """Wait until the process runs and is ready, through restarts if it has them.

        Raises ProcessDied, NotReady.
        """
        child = self._children[name]
        limit = child.spec.ready_within_s if within_s is None else within_s
        deadline = time.monotonic() + limit
        with httpx.Client(trust_env=False, timeout=2.0) as client:
            while not self._is_ready(child, client):
                ended = child.popen is not None and child.popen.poll() is not None
                if ended and (not child.spec.restart or self._stopping.is_set()):
                    raise ProcessDied(self._report(child, "ended before it was ready"))
                if time.monotonic() >= deadline:
                    raise NotReady(self._report(child, f"was not ready within {limit:g} s"))
                self._stopping.wait(READY_EVERY_S)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; after SIGKILL, returns when the process and all it started are gone."""
        child = self._children[name]
        swept = child.swept
        _send(child.popen, number)
        if number is signal.SIGKILL:
            swept.wait(timeout=30.0)

    def pid(self, name: str) -> int | None:
        """The process id while it runs."""
        popen = self._children[name].popen
        return popen.pid if popen is not None and popen.poll() is None else None

    def restarts(self, name: str) -> int:
        """How often it was started again."""
        return max(0, self._children[name].starts - 1)

    def tail(self, name: str, lines: int = 40) -> str:
        """The last lines of its log."""
        return tail(self._children[name].spec.log, lines)

    def wait_until_signalled(self) -> str | None:
        """Wait for SIGINT or SIGTERM (None), or for the death of one that isn't restarted (name).

        Only the main thread may call this.
        """
        with _signals_set(self._wake):
            self._wake.wait()
        return self._dead

    # How it is done.

    def _stages(self) -> list[list[_Child]]:
        children = self._children.values()
        return [list(group) for _, group in groupby(children, key=lambda child: child.spec.stage)]

    def _spawn(self, child: _Child) -> bool:
        """Start the process unless everything is being stopped."""
        spec = child.spec
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if self._stopping.is_set():
                return False
            with spec.log.open("ab") as log:
                child.popen = subprocess.Popen(
                    spec.argv,
                    env={**spec.env, MARK: child.mark},
                    cwd=spec.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            child.starts += 1
            child.swept = threading.Event()
        if child.watcher is None:
            child.watcher = threading.Thread(target=self._watch, args=(child,), daemon=True)
            child.watcher.start()
        return True

    def _watch(self, child: _Child) -> None:
        """Wait for the end of each life of the process and decide on the next one."""
        backoff_s = BACKOFF_FIRST_S
        running = True
        while running and child.popen is not None:
            began = time.monotonic()
            code = child.popen.wait()
            sweep(child.mark)
            child.swept.set()
            if self._stopping.is_set():
                return
            self._notify(f"{child.spec.name} ended with {_describe(code)}")
            if not child.spec.restart:
                self._dead = child.spec.name
                self._wake.set()
                return
            if time.monotonic() - began > STEADY_S:
                backoff_s = BACKOFF_FIRST_S
            self._stopping.wait(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_MOST_S)
            running = self._spawn(child)

    def _finish(self, child: _Child) -> None:
        """Wait out the grace after SIGTERM, then kill; ends with the watcher."""
        if child.popen is None or child.watcher is None:
            return
        try:
            child.popen.wait(timeout=child.spec.grace_s)
        except subprocess.TimeoutExpired:
            self._notify(f"{child.spec.name} did not stop in {child.spec.grace_s:g} s: killed")
            _send(child.popen, signal.SIGKILL)
        child.watcher.join()

    def _is_ready(self, child: _Child, client: httpx.Client) -> bool:
        popen = child.popen
        if popen is None or popen.poll() is not None:
            return False
        if child.spec.ready_url is None:
            return True
        try:
            answer = client.get(child.spec.ready_url)
        except httpx.HTTPError:
            return False
        # A server that died a moment ago may have answered: it must still be this one.
        return answer.status_code == 200 and popen.poll() is None

    def _report(self, child: _Child, what: str) -> str:
        code = None if child.popen is None else child.popen.poll()
        ended = "" if code is None else f" ({_describe(code)})"
        return f"{child.spec.name} {what}{ended}; its log ends:\n{tail(child.spec.log, 40)}"


def tail(log: Path, lines: int) -> str:
    """The last lines of a text file; empty if there is none."""
    if not log.is_file():
        return ""
    with log.open(encoding="utf-8", errors="replace") as file:
        return "".join(deque(file, maxlen=lines))


def _send(popen: "subprocess.Popen[bytes] | None", number: signal.Signals) -> None:
    if popen is not None and popen.poll() is None:
        popen.send_signal(number)


def _describe(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


@contextmanager
def _signals_set(event: threading.Event) -> Iterator[None]:
    def handle(_: int, __: FrameType | None) -> None:
        event.set()

    old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
