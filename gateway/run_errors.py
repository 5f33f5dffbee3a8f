"""How a step of a fulfilment run ends, other than by being done.

RunStopped   the run has nothing more to do
StepBusy     another process is at it: look again later
StepFailed   it can't be done now, or not at all
"""


class RunStopped(Exception):
    """The order waits for a person, is held, or has ended: this run has nothing more to do."""


class StepBusy(Exception):
    """Another process does this step of this order at the moment."""


class StepFailed(Exception):
    """A step can't be done; ``reason`` is told to the desk: a stable code, perhaps with what it is
    about behind a colon, never personal data. With ``again`` it may work later, after at least
    ``pause_s`` seconds."""

    def __init__(self, reason: str, *, again: bool = False, pause_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.pause_s = pause_s
