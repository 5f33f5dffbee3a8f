"""Work that is done before a node asks for it: in a thread, while the prompt in front samples."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

Call = tuple[Callable[..., Any], tuple[str | int, ...]]
"""A function and what it is given. Equal calls have equal results."""

Makers = Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]]
"""By node class, a function and the node's inputs that it takes."""

_PROMPTS: Final = 2
"""So many prompts' results are kept at most: a picture of 1024² takes 12 MB."""

_TURN_S: Final = 0.2


@dataclass
class _Work:
    prompt_id: str
    result: Future[Any] = field(default_factory=Future)
    rested: bool = False


class Ahead:
    """Results that prompts in the queue are going to ask for.

    ``queued`` gives the ids of the prompts that run or wait. Any thread may call any method.
    """

    def __init__(self, queued: Callable[[], Collection[str]]) -> None:
        self._queued = queued
        self._work: dict[Call, _Work] = {}
        self._changed = threading.Condition()

    def start(self) -> None:
        """Begin to take turns, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="foxetales-ahead", daemon=True).start()

    def plan(self, prompt_id: str, calls: Iterable[Call]) -> None:
        """Take note of a prompt's calls, unless there are those of two others already."""
        with self._changed:
            if len({work.prompt_id for work in self._work.values()} - {prompt_id}) >= _PROMPTS:
                return
            for call in calls:
                self._work.setdefault(call, _Work(prompt_id))
            self._changed.notify()

    def take(self, function: Callable[..., Any], *arguments: str | int) -> Any:
        """Return, or raise, what the function does; if that isn't known yet, it is called here.

        A result is handed out once, and not kept.
        """
        with self._changed:
            work = self._work.pop((function, arguments), None)
        if work is None or work.result.cancel():  # nobody has begun
            return function(*arguments)
        return work.result.result()

    @property
    def waiting(self) -> int:
        """How many results are planned or kept."""
        return len(self._work)

    def turn(self) -> None:
        """Do what was planned before the last turn, and drop what no prompt asks for any more.

        What is planned rests for a turn: just then the prompt in front is busy with its own start,
        and the prompt itself isn't in the queue yet.
        """
        queued = self._queued()
        with self._changed:
            for call, work in list(self._work.items()):
                if work.rested and work.prompt_id not in queued:
                    del self._work[call]
            due = [(call, work) for call, work in self._work.items() if work.rested]
            for work in self._work.values():
                work.rested = True
        for call, work in due:
            _do(call, work.result)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._work)
            pause.wait(_TURN_S)
            self.turn()


def calls_in(prompt: Any, makers: Makers) -> list[Call]:
    """The calls of a prompt's nodes whose inputs are all given; none of a prompt that makes no
    sense, which ComfyUI is about to refuse."""
    if not isinstance(prompt, dict):
        return []
    calls = []
    for node in prompt.values():
        if not isinstance(node, dict) or not isinstance(node.get("inputs"), dict):
            continue
        maker = makers.get(str(node.get("class_type")))
        if maker is None:
            continue
        function, names = maker
        values = tuple(node["inputs"].get(name) for name in names)
        if all(isinstance(value, str | int) for value in values):
            calls.append((function, values))
    return calls


def _do(call: Call, result: Future[Any]) -> None:
    """Call it, unless that was done or a node does it itself."""
    if result.done() or not result.set_running_or_notify_cancel():
        return
    function, arguments = call
    try:
        result.set_result(function(*arguments))
    except Exception as error:  # the node's own: it is raised where the result is taken
        result.set_exception(error)
