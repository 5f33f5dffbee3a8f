"""`python -m sandbox.reaper MARK`: ends what a supervisor left behind when it died.

The supervisor holds the other end of our standard input. It closes when the supervisor ends, even
by SIGKILL, and whatever still carries its mark is ended then. This works on every POSIX system,
and for grandchildren, which Linux's PR_SET_PDEATHSIG does not reach.
"""

import signal
import sys

from sandbox.units import sweep

GRACE_S = 3.0


def main() -> int:
    """Wait for the end of standard input, then sweep."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    sweep(sys.argv[1], grace_s=GRACE_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
