"""A RunPod worker with nothing in it but manners; run as a process, never imported by a test.

Its input says what to do: `sleep_s`, `progress` (a list), `mark` (a file to write and to remove
when cancelled), `fail`, `large` (bytes of output), `echo`.
"""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import runpod


async def handle(job: dict[str, Any]) -> Any:
    asked = job["input"]
    mark = Path(asked["mark"]) if "mark" in asked else None
    if mark is not None:
        mark.write_text(os.environ["RUNPOD_POD_ID"])
    for step in asked.get("progress", []):
        await asyncio.to_thread(_report, job, step)
    try:
        await asyncio.sleep(asked.get("sleep_s", 0))
    except asyncio.CancelledError:
        if mark is not None:
            mark.write_text("cancelled")
        raise
    if asked.get("fail"):
        raise RuntimeError("as asked")
    if "large" in asked:
        return {"text": "x" * asked["large"]}
    return {"echo": asked.get("echo"), "worker": os.environ["RUNPOD_POD_ID"]}


def _report(job: dict[str, Any], step: Any) -> None:
    # The SDK starts a thread for each update; one at a time keeps their order.
    runpod.serverless.progress_update(job, step)
    time.sleep(0.2)


if __name__ == "__main__":
    runpod.serverless.start({"handler": handle})
