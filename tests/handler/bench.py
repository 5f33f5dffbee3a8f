"""A worker on fakes."""

from typing import Any

from contract.errors import ErrorCode
from contract.result import JobResult
from handler.graph import Workflows
from handler.worker import Worker
from tests.handler.fakes import FakeClock, FakeComfy, MemoryStore, RecordingSink, png

PHOTO = {"photos/x/original.jpg": png()}


class Bench:
    """A worker on fakes, and everything that can be looked at afterwards. ``store`` may be one
    that other workers use too."""

    def __init__(
        self,
        workflows: Workflows,
        comfy: FakeComfy | None = None,
        store: MemoryStore | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        self.comfy = comfy or FakeComfy()
        self.store = store or MemoryStore(PHOTO)
        self.sink = RecordingSink()
        self.refreshes = False
        self.worker = Worker(
            comfy=self.comfy,
            store=self.store,
            workflows=workflows,
            open_sink=lambda _: self.sink,
            clock=clock or FakeClock(),
            worker_id="worker-1",
        )

    async def run(self, raw: Any) -> JobResult:
        """Run a job; check that both channels carry the same result. Afterwards ``refreshes``
        says whether a fresh machine was asked for."""
        before = len(self.sink.results)
        answer = await self.worker.handle({"id": "runpod-1", "input": raw})
        self.refreshes = answer.pop("refresh_worker", False)
        result = (
            JobResult.model_validate_json(answer["error"])
            if set(answer) == {"error"}
            else JobResult.model_validate(answer)
        )
        assert self.sink.results[before:] == [result]
        return result


def codes(result: JobResult) -> list[ErrorCode | None]:
    """Each page's error, by page number."""
    return [page.error.code if page.error else None for page in result.pages]
