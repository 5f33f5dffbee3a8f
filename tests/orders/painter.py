"""A RunPod worker that paints in no time: flat pictures, and all the manners of the real one.

It runs as a process, in the unmodified SDK; no test imports it.
"""

import asyncio
import hashlib
import io
import os
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import requests
import runpod
from PIL import Image

from contract.job import JOB, PagesJob, PageTask
from contract.result import JobResult, PageResult, StoredImage
from contract.signing import sign
from contract.status import JobStatus, PageStatus
from handler.adapters.clock import SystemClock
from storage.open import open_store

STORE = open_store(os.environ["OBJECT_STORE_URL"], os.environ)
PAUSE_S = float(os.environ.get("PAUSE_S", "0"))
TELLINGS = 20
SILENCE = Path(os.environ["SILENCE_FILE"])


@lru_cache(maxsize=8)
def picture(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (196, 164, 120)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def paint(task: PageTask) -> PageResult:
    width, height = (int(task.slots.get(side, 64)) for side in ("width", "height"))
    data = picture(width, height)
    STORE.put_new(task.output_key, data, "image/png")
    return PageResult(
        page_number=task.page_number,
        status=PageStatus.COMPLETED,
        seed=task.seed,
        image=StoredImage(
            key=task.output_key,
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            width=width,
            height=height,
        ),
    )


async def handle(sent: dict[str, Any]) -> dict[str, Any]:
    job = JOB.validate_python(sent["input"])
    assert isinstance(job, PagesJob)
    run = time.time_ns() // 1_000_000
    await asyncio.sleep(PAUSE_S)
    result = JobResult(
        job_id=job.job_id,
        dispatch=job.dispatch,
        run=run,
        seq=1,
        status=JobStatus.COMPLETED,
        pages=await asyncio.to_thread(lambda: [paint(task) for task in job.pages]),
    )
    await asyncio.to_thread(tell, result)
    told: dict[str, Any] = result.model_dump(mode="json")
    return told


def tell(result: JobResult) -> None:
    """Tell the gateway, again while it answers that it can't listen. One that is dead hears of it
    from RunPod, later."""
    if SILENCE.exists():
        return
    body = result.model_dump_json().encode()
    secret, url = os.environ["CALLBACK_SECRET"], os.environ["CALLBACK_URL"]
    headers = sign(secret, f"{result.job_id}.{result.run}", body, SystemClock().now())
    for _ in range(TELLINGS):
        try:
            answer = requests.post(url, data=body, headers=headers, timeout=5)
        except requests.RequestException:
            return
        if answer.status_code < 500:
            return
        time.sleep(0.5)


if __name__ == "__main__":
    # Several jobs at once: what tests wait for is the gateway.
    runpod.serverless.start({"handler": handle, "concurrency_modifier": lambda _: 8})
