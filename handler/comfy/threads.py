"""Blocking work in a thread of its own, for as long as it takes."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def in_own_thread(call: Callable[[], T], name: str) -> "asyncio.Future[T]":
    """Start ``call`` and return its outcome to be awaited.

    asyncio's own pool is small and for short work: a boot or a page, which take seconds to
    minutes, would keep everything else waiting. The thread doesn't outlive the call, nor does it
    keep the process alive. Cancelling the future has no effect on the call.
    """
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = call()
        except BaseException as error:  # it belongs to whoever awaits the outcome
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    threading.Thread(target=run, name=f"comfy-{name}", daemon=True).start()
    return asyncio.wrap_future(outcome)
