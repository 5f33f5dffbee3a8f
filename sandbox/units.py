"""What belongs to one supervised process, found and ended the way a container would end it.

A worker is more than one process: the RunPod SDK forks its heartbeat, and the handler starts
ComfyUI. Killing only the first leaves a heartbeat that keeps reporting a dead worker's jobs. So
each supervised process carries a mark in its environment, which everything it starts inherits.
"""

import os
import time
from collections.abc import Iterator

import psutil

MARK = "SANDBOX_UNIT"


def members(mark: str) -> Iterator[psutil.Process]:
    """The living processes whose mark is `mark`, or begins with it and a slash."""
    for process in psutil.process_iter():
        # A process may end, or belong to somebody else, while it is being looked at.
        try:
            found = process.environ().get(MARK, "")
        except (psutil.Error, OSError):
            continue
        if (found == mark or found.startswith(f"{mark}/")) and process.pid != os.getpid():
            yield process


def sweep(mark: str, grace_s: float = 0.0) -> int:
    """End every member: SIGTERM and `grace_s` seconds first if there is a grace, then SIGKILL.

    Returns how many there were.
    """
    found = list(members(mark))
    if grace_s > 0:
        _signal_all(found, "terminate")
        psutil.wait_procs(found, timeout=grace_s)
    # One that was being started while we looked is caught by looking again.
    deadline = time.monotonic() + 5.0
    while (left := list(members(mark))) and time.monotonic() < deadline:
        _signal_all(left, "kill")
        psutil.wait_procs(left, timeout=1.0)
    return len(found)


def _signal_all(processes: list[psutil.Process], method: str) -> None:
    for process in processes:
        try:
            getattr(process, method)()
        except psutil.Error:
            continue
