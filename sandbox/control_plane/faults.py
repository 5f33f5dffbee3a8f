"""Failures that a test switches on, each for the next N occasions."""

from dataclasses import dataclass

from sandbox.control_plane.errors import InjectedFault


@dataclass
class Fault:
    """`status` is what is answered; below 400 the request is accepted and then forgotten."""

    status: int
    remaining: int


class Faults:
    """Armed faults by operation name: `run`, `status`, `job-done`, `webhook` and the others.

    `run-answer` is for what follows after `run` was accepted: an error status loses the answer, any
    other holds it back until the job has ended.
    """

    def __init__(self) -> None:
        self._armed: dict[str, Fault] = {}

    def arm(self, operation: str, *, status: int, count: int) -> None:
        """Let the next `count` requests of `operation` fail; replaces what was armed before."""
        self._armed[operation] = Fault(status, count)

    def strike(self, operation: str) -> bool:
        """Use up one armed fault: True means that the request is to be swallowed.

        Raises InjectedFault when the fault has an error status.
        """
        fault = self._armed.get(operation)
        if fault is None or fault.remaining <= 0:
            return False
        fault.remaining -= 1
        if fault.status >= 400:
            raise InjectedFault(fault.status)
        return True
