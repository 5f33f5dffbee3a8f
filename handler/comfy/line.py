"""Whose turn it is in ComfyUI. Pure."""

import threading


class Line:
    """The prompts in one run of ComfyUI, in the order in which it took them.

    It executes one at a time, in that order, and begins the next one by itself. Any thread may
    call any method.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._prompts: list[str] = []
        self._started: str | None = None
        self._culprit: str | None = None

    def join(self, prompt_id: str) -> None:
        """Append a prompt that ComfyUI has taken."""
        with self._lock:
            self._prompts.append(prompt_id)

    def start(self, prompt_id: str) -> None:
        """Take note that a prompt is executed: whatever is in front of it must be done."""
        with self._lock:
            place = self._place(self._started)
            if place < self._place(prompt_id):
                self._started = prompt_id

    def leave(self, prompt_id: str) -> None:
        """Remove a prompt that is done, or gone; it needn't be there."""
        with self._lock:
            if prompt_id in self._prompts:
                self._prompts.remove(prompt_id)

    def executing(self) -> str | None:
        """Return the prompt whose turn it is: the last one that is known to have started, else
        the first."""
        with self._lock:
            return self._executing()

    def blame(self, prompt_id: str) -> None:
        """Take note that ComfyUI is ended because of this prompt. The first one stays."""
        with self._lock:
            if self._culprit is None:
                self._culprit = prompt_id

    def culprit(self) -> str | None:
        """Return the prompt that ComfyUI ended of: the one to blame, else the one whose turn it is
        when this is first asked, since the prompts leave the line one by one after that."""
        with self._lock:
            if self._culprit is None:
                self._culprit = self._executing()
            return self._culprit

    def _executing(self) -> str | None:
        if self._place(self._started) >= 0:
            return self._started
        return self._prompts[0] if self._prompts else None

    def _place(self, prompt_id: str | None) -> int:
        return self._prompts.index(prompt_id) if prompt_id in self._prompts else -1
