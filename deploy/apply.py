"""Bringing RunPod to what the endpoint's file says, a step at a time.

After each step RunPod is looked at again, and what is left is planned anew. So an apply that was
cut short is finished by the next one, and a step that RunPod only seems to take is noticed.
"""

from collections.abc import Callable
from typing import Protocol

from deploy.account import Account
from deploy.errors import NotTaken
from deploy.plan import Kind, Step

Planner = Callable[[Account], list[Step]]


class Api(Protocol):
    """What is needed of RunPod. Both may raise ApiError."""

    def account(self) -> Account:
        """What there is now."""
        ...

    def do(self, step: Step) -> str:
        """Do it, and return the id of what was made or changed."""
        ...


def carry_out(api: Api, plan: Planner, tell: Callable[[Step, str], None]) -> int:
    """Do what has to be done, and return how many steps that took.

    ``plan`` says what is left; ``tell`` hears of each step that was done and its id.

    Raises:
        NotTaken: a step was done, and the same is still to be done.
        DeployError: from ``api`` and ``plan``. The steps before it stay done.
    """
    done: set[Kind] = set()
    while steps := plan(api.account()):
        step = steps[0]
        if step.kind in done:
            raise NotTaken(
                f"{step.kind.value} {step.name!r} was done, and RunPod still tells something else"
                f" for: {', '.join(step.changes)}"
            )
        made = api.do(step)
        done.add(step.kind)
        tell(step, made)
    return len(done)
