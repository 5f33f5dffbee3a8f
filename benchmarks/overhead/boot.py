"""What a worker's start takes, by its log."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Boot:
    """Seconds from the process's start to its first job, in four parts that follow each other.

    Attributes:
        before: until ComfyUI is started: Python, imports, settings, checks of files.
        comfyui: ComfyUI's own boot, until it answers.
        ready: nodes are looked at, and ComfyUI settles.
        taken: RunPod's SDK starts and fetches the job that has waited since before the start.
    """

    before: float
    comfyui: float
    ready: float
    taken: float

    @property
    def beyond(self) -> float:
        """All but ComfyUI's own boot."""
        return self.before + self.ready + self.taken

    @classmethod
    def of(cls, log: Path, began: float) -> Self:
        """Read the log of a worker that began at a time, in seconds since 1970.

        Raises:
            StopIteration: one of the lines is missing.
        """
        lines = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]

        def line(text: str) -> tuple[float, str]:
            found = next(line for line in lines if str(line.get("message")).startswith(text))
            return datetime.fromisoformat(found["time"]).timestamp(), str(found["message"])

        up, said = line("ComfyUI is ready after ")
        ready, taken = line("worker ready")[0], line("job begins")[0]
        comfyui = float(said.split()[-2])
        return cls(up - comfyui - began, comfyui, ready - up, taken - ready)
