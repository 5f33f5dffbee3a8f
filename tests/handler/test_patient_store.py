"""A store that is away is asked again; what time doesn't mend is told at once."""

from collections.abc import Awaitable, Callable

import pytest

from contract.errors import ErrorCode
from contract.status import JobStatus
from handler.graph import Workflows
from handler.patient_store import PatientStore
from storage.errors import (
    InvalidKey,
    ObjectNotFound,
    ObjectTooLarge,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from tests.handler.bench import PHOTO, Bench, codes
from tests.handler.fakes import FakeClock, MemoryStore, job_input, portrait_input

pytestmark = pytest.mark.anyio

KEY = "photos/x/original.jpg"
Call = Callable[[PatientStore], Awaitable[object]]
CALLS: dict[str, Call] = {
    "get": lambda store: store.get(KEY, 1_000),
    "put": lambda store: store.put(KEY, b"x", "image/png"),
    "put_new": lambda store: store.put_new("new", b"x", "image/png"),
}
call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


class Flaky(MemoryStore):
    """Fails each of its next calls by one of ``failures``."""

    def __init__(self, *failures: StoreError) -> None:
        super().__init__(PHOTO)
        self.failures = list(failures)

    def get(self, key: str, max_bytes: int) -> bytes:
        if self.failures:
            self.reads.append(key)
            raise self.failures.pop(0)
        return super().get(key, max_bytes)

    def _write(self, key: str) -> None:
        super()._write(key)
        if self.failures:
            raise self.failures.pop(0)

    @property
    def calls(self) -> int:
        return len(self.reads) + len(self.writes)


@call
async def test_a_call_is_made_again_after_growing_pauses_until_it_succeeds(call: Call) -> None:
    clock, store = FakeClock(), Flaky(*[StoreUnavailable("away")] * 4)
    await call(PatientStore(store, clock, "job-1"))
    assert store.calls == 5
    assert clock.sleeps[0] == 0
    for pause, longest in zip(clock.sleeps[1:], (1, 2, 4, 8), strict=True):
        assert longest / 2 <= pause <= longest


@call
async def test_a_store_that_stays_away_is_given_up(call: Call) -> None:
    store = Flaky(*[StoreUnavailable("away")] * 9)
    with pytest.raises(StoreUnavailable):
        await call(PatientStore(store, FakeClock(), "job-1"))
    assert store.calls == 5


@call
@pytest.mark.parametrize(
    "failure",
    [
        StoreRefused("wrong credentials"),
        StoreFull("no space left"),
        ObjectNotFound(KEY),
        ObjectTooLarge(KEY, 1),
        InvalidKey("not a safe object key"),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_what_time_does_not_mend_is_raised_at_once(call: Call, failure: StoreError) -> None:
    clock, store = FakeClock(), Flaky(failure)
    with pytest.raises(type(failure)):
        await call(PatientStore(store, clock, "job-1"))
    assert (store.calls, clock.seconds) == (1, 0)


async def test_look_ups_and_inputs_are_read_again(workflows: Workflows) -> None:
    bench = Bench(workflows, store=Flaky(StoreUnavailable("away")))
    assert (await bench.run(job_input())).status is JobStatus.COMPLETED
    assert bench.store.reads == ["pages/p1/page_01.png"] * 2 + [KEY]


async def test_a_stored_identity_is_read_again(identity_workflows: Workflows) -> None:
    class Away(MemoryStore):
        """Has trouble with an identity once."""

        def get(self, key: str, max_bytes: int) -> bytes:
            if key.startswith("pulid_emb/") and key not in self.reads:
                self.reads.append(key)
                raise StoreUnavailable("away")
            return super().get(key, max_bytes)

    bench = Bench(identity_workflows, store=Away(PHOTO))
    assert (await bench.run(portrait_input())).status is JobStatus.COMPLETED
    assert bench.store.inputs_read.count("pulid_emb/x.safetensors") == 2


async def test_refused_credentials_are_not_tried_again(workflows: Workflows) -> None:
    store = Flaky(StoreRefused("wrong credentials"))
    assert codes(await Bench(workflows, store=store).run(job_input())) == [
        ErrorCode.STORE_UNAVAILABLE
    ]
    assert store.calls == 1
