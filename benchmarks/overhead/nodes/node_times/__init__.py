"""Writes down when each node began and ended.

Each run adds a line `class begin end`, seconds of the monotonic clock, to the file that the
environment names in NODE_TIMES_LOG.
"""

import os
import time
from pathlib import Path
from typing import Any

import execution  # type: ignore[import-not-found]  # a module of ComfyUI

_execute = execution.execute


def _write_down(kind: str, began: float) -> None:
    with Path(os.environ["NODE_TIMES_LOG"]).open("a", encoding="utf-8") as log:
        log.write(f"{kind} {began:.6f} {time.monotonic():.6f}\n")


async def _timed(server: Any, dynprompt: Any, caches: Any, node_id: str, *rest: Any) -> Any:
    began = time.monotonic()
    result = await _execute(server, dynprompt, caches, node_id, *rest)
    _write_down(dynprompt.get_node(node_id)["class_type"], began)
    return result


execution.execute = _timed
NODE_CLASS_MAPPINGS: dict[str, Any] = {}
