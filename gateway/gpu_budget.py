"""The hourly budget of pages that previews may have rendered, over all callers and gateways.

It is counted from the jobs themselves: every gateway sees the same, and a restart forgets nothing.
Pages of paid books are outside it.
"""

import math
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.errors import Problem
from gateway.records import Job, Page

WINDOW = timedelta(hours=1)


def check_budget(session: Session, now: datetime, *, pages: int, budget: int) -> None:
    """Check that ``pages`` more may be queued, in the transaction that queues them.

    ``budget`` is in pages an hour; 0 means that there is none. On PostgreSQL, calls that come at
    the same moment don't see each other: the budget may be passed by what they ask for.

    Raises:
        Problem: ``gpu_budget_spent``, with the seconds until they may be.
    """
    if budget == 0:
        return
    queued = session.execute(
        select(Job.queued_at, func.count())
        .join(Page, Page.job_id == Job.job_id)
        .where(Job.order_id.is_(None), Job.queued_at > now - WINDOW)
        .group_by(Job.job_id, Job.queued_at)
        .order_by(Job.queued_at)
    ).all()
    too_many = sum(count for _, count in queued) + pages - budget
    if too_many <= 0:
        return
    free_at = now + WINDOW
    for queued_at, count in queued:
        too_many -= count
        if too_many <= 0:
            free_at = queued_at + WINDOW
            break
    wait_s = max(1, math.ceil((free_at - now).total_seconds()))
    raise Problem("gpu_budget_spent", headers={"Retry-After": str(wait_s)})
