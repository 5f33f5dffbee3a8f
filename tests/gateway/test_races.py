"""Many at once: one wins, and the others are told so."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import anyio

from contract.errors import ErrorCode
from gateway.errors import Problem
from gateway.ledger import Claim
from gateway.previews import request_page, retry
from gateway.schema import PageRequest
from gateway.services import Services
from tests.gateway.fakes import MovableClock
from tests.gateway.rendering import Stage, progress, result

DATABASES = ("sqlite", "postgresql")
THREADS = 8


def all_at_once(work: Callable[[int], object]) -> Counter[str]:
    """What came of ``THREADS`` calls: how many did it, and the codes of the others."""

    def told(number: int) -> str:
        try:
            work(number)
        except Problem as problem:
            return problem.code
        return "done"

    with ThreadPoolExecutor(THREADS) as pool:
        return Counter(pool.map(told, range(THREADS)))


def test_one_take_of_a_page_is_rendered_at_a_time(stage: Stage, services: Services) -> None:
    job = stage.order()
    stage.dispatch()
    stage.finish(stage.endpoint.submitted[0])
    wanted = PageRequest(preview_id=job.preview_id, page_number=1)
    told = all_at_once(lambda _: request_page(services, wanted, None))
    assert told == {"done": 1, "job_in_progress": THREADS - 1}


def test_a_page_request_with_one_key_makes_one_job(stage: Stage, services: Services) -> None:
    job = stage.order()
    stage.dispatch()
    stage.finish(stage.endpoint.submitted[0])
    wanted = PageRequest(preview_id=job.preview_id, page_number=1)
    made = set()
    told = all_at_once(lambda _: made.add(request_page(services, wanted, "key-1")))
    assert told == {"done": THREADS}
    assert len(made) == 1


def test_a_failed_job_is_reopened_once(stage: Stage, services: Services) -> None:
    job = stage.order()
    stage.dispatch()
    stage.fail(stage.endpoint.submitted[0], ErrorCode.NO_FACE)
    told = all_at_once(lambda _: retry(services, job.job_id, job.preview_id))
    assert told == {"done": 1, "job_not_failed": THREADS - 1}
    assert stage.dispatch() == 1


def test_a_job_is_claimed_once(stage: Stage, services: Services) -> None:
    job = stage.order()
    claims: list[Claim | None] = []
    all_at_once(lambda _: claims.append(services.dispatcher.ledger.claim(job.job_id)))
    assert [claim.dispatch for claim in claims if claim] == [1]


def test_a_quiet_job_is_asked_about_once(
    stage: Stage, services: Services, clock: MovableClock
) -> None:
    job = stage.order()
    stage.dispatch()
    clock.move(seconds=60)
    asked: list[object] = []
    all_at_once(lambda _: asked.append(services.dispatcher.ledger.take_question(job.job_id)))
    assert sum(question is not None for question in asked) == 1


def test_a_result_that_comes_many_times_at_once_is_applied_once(
    stage: Stage, services: Services
) -> None:
    job = stage.order()
    stage.dispatch()
    sent = stage.endpoint.submitted[0]
    message = result(sent, stage.store(sent, [1, 2, 3]))
    heard: list[bool] = []

    def receive(_: int) -> None:
        told = services.dispatcher.ledger.receive(message)
        assert told
        heard.append(told.applied)

    all_at_once(receive)
    assert sorted(heard) == [False] * (THREADS - 1) + [True]
    anyio.run(services.board.publish, job.job_id)
    assert stage.status(job)["status"] == "completed"


def test_progress_of_several_channels_never_runs_backwards(
    stage: Stage, services: Services
) -> None:
    job = stage.order()
    stage.dispatch()
    sent = stage.endpoint.submitted[0]
    all_at_once(
        lambda number: services.dispatcher.ledger.receive(
            progress(sent, number / 10, seq=number + 1)
        )
    )
    anyio.run(services.board.publish, job.job_id)
    assert stage.status(job)["progress"] == (THREADS - 1) * 10
