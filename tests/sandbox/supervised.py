"""A supervisor as a process of its own: `python -m tests.sandbox.supervised LOGS`."""

import os
import sys
from pathlib import Path

from sandbox.supervisor import Process, Supervisor


def main() -> int:
    logs = Path(sys.argv[1])
    processes = [
        Process(
            name=kind,
            argv=[sys.executable, "-m", "tests.sandbox.small_process", kind],
            env={"PATH": os.environ["PATH"]},
            log=logs / f"{kind}.log",
        )
        for kind in ("parent", "idle")
    ]
    with Supervisor(processes) as supervisor:
        print(supervisor.mark, flush=True)
        supervisor.wait_until_signalled()
    return 0


if __name__ == "__main__":
    sys.exit(main())
