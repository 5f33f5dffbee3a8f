"""The supervisor with real small processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox.supervisor import NotReady, Process, ProcessDied, Supervisor
from sandbox.units import members
from tests.sandbox.conftest import ROOT, free_port
from tests.sandbox.waiting import eventually


@pytest.fixture
def spec(tmp_path: Path) -> Any:
    def make(kind: str, name: str | None = None, **changes: Any) -> Process:
        argv = [sys.executable, "-m", "tests.sandbox.small_process", kind]
        if kind == "serve":
            port = free_port()
            argv.append(str(port))
            changes.setdefault("ready_url", f"http://127.0.0.1:{port}/")
        fields = {
            "name": name or kind,
            "argv": argv,
            "env": {"PATH": os.environ["PATH"]},
            "log": tmp_path / "logs" / f"{name or kind}.log",
            "cwd": ROOT,
            **changes,
        }
        return Process(**fields)

    return make


def test_it_waits_until_a_server_is_ready_and_leaves_nothing_behind(spec: Any) -> None:
    with Supervisor([spec("serve"), spec("idle", stage=1)]) as supervisor:
        assert supervisor.pid("serve") is not None
        assert supervisor.pid("idle") is not None
        assert len(list(members(supervisor.mark))) == 2
    assert supervisor.pid("serve") is None
    assert list(members(supervisor.mark)) == []


def test_stages_start_in_order_whatever_the_order_of_the_list(spec: Any) -> None:
    with Supervisor([spec("idle", stage=1), spec("serve", stage=0)]) as supervisor:
        first, second = supervisor.pid("serve"), supervisor.pid("idle")
        assert first is not None
        assert second is not None
        assert psutil.Process(first).create_time() < psutil.Process(second).create_time()


def test_a_process_that_dies_at_once_is_reported_with_the_end_of_its_log(spec: Any) -> None:
    supervisor = Supervisor([spec("idle"), spec("fail", ready_url="http://127.0.0.1:9/")])
    with pytest.raises(ProcessDied, match=r"(?s)fail.*exit code 3.*the reason why"):
        supervisor.start()
    assert list(members(supervisor.mark)) == []


def test_a_process_that_never_gets_ready_is_reported(spec: Any) -> None:
    slow = spec("idle", ready_url=f"http://127.0.0.1:{free_port()}/", ready_within_s=0.3)
    with pytest.raises(NotReady, match=r"idle was not ready within 0\.3 s"):
        Supervisor([slow]).start()


def test_a_program_that_does_not_exist_stops_the_others(spec: Any) -> None:
    supervisor = Supervisor([spec("idle"), spec("fail", argv=["/no/such/program"])])
    with pytest.raises(FileNotFoundError):
        supervisor.start()
    assert list(members(supervisor.mark)) == []


def test_a_killed_process_comes_back(spec: Any) -> None:
    told: list[str] = []
    with Supervisor([spec("serve", restart=True)], notify=told.append) as supervisor:
        first = supervisor.pid("serve")
        supervisor.kill("serve")
        supervisor.wait_ready("serve", within_s=10)
        assert supervisor.pid("serve") != first
        assert supervisor.restarts("serve") == 1
    assert told == ["serve ended with signal SIGKILL"]


def test_one_that_keeps_dying_is_restarted_ever_more_slowly(spec: Any) -> None:
    failing = spec("fail", restart=True, ready_url="http://127.0.0.1:9/", ready_within_s=1.5)
    supervisor = Supervisor([failing])
    with pytest.raises(NotReady, match="the reason why"):
        supervisor.start()
    assert 1 <= supervisor.restarts("fail") <= 3


def test_the_death_of_one_that_is_not_restarted_ends_the_waiting(spec: Any) -> None:
    with Supervisor([spec("serve"), spec("idle")]) as supervisor:
        supervisor.kill("serve")
        assert supervisor.wait_until_signalled() == "serve"


def test_what_a_killed_process_had_started_dies_with_it(spec: Any) -> None:
    with Supervisor([spec("parent")]) as supervisor:
        eventually(lambda: len(list(members(supervisor.mark))) == 2)
        supervisor.kill("parent")
        assert list(members(supervisor.mark)) == []


def test_one_that_ignores_sigterm_is_killed_after_its_grace(spec: Any) -> None:
    told: list[str] = []
    with Supervisor([spec("stubborn", grace_s=0.2)], notify=told.append) as supervisor:
        eventually(lambda: "ignores" in supervisor.tail("stubborn"))
    assert told == ["stubborn did not stop in 0.2 s: killed"]
    assert list(members(supervisor.mark)) == []


def test_the_log_keeps_both_streams_and_its_tail_is_short(spec: Any) -> None:
    with Supervisor([spec("fail", restart=True)]) as supervisor:
        eventually(lambda: supervisor.tail("fail", lines=1) == "the reason why\n")
        assert "fail runs" in supervisor.tail("fail")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_orphan_is_left_when_the_supervisor_itself_ends(
    tmp_path: Path, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.sandbox.supervised", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        mark = process.stdout.readline().strip()
        eventually(lambda: len(list(members(mark))) == 3)
        eventually(lambda: _catches(process.pid, signal.SIGTERM))
        process.send_signal(number)
        code = process.wait(timeout=10)
    assert code == (-9 if number is signal.SIGKILL else 0)
    eventually(lambda: not list(members(mark)), within_s=10)


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler of its own for this signal (`SigCgt` in proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
