"""A submitted prompt, followed to its end. Blocks: runs in a thread of its own.

ComfyUI tells how a prompt fares on a WebSocket, and what became of it in its queue and history.
The first is quick but may be cut, or lose a message; so the others are looked at too, now and then
and whenever the WebSocket is gone. Whichever speaks first is believed.
"""

import logging
import threading
import uuid
from collections.abc import Callable

from handler.comfy.client import ComfyClient, EventStream
from handler.comfy.events import Event, Executing, ExecutionStarted, MalformedEvent
from handler.comfy.history import History, OutputFile
from handler.comfy.line import Line
from handler.comfy.process import ComfyProcess
from handler.comfy.times import PromptTimes
from handler.comfy.tracker import PromptTracker
from handler.errors import (
    ComfyDied,
    ComfyError,
    ComfyStalled,
    ComfyUnreachable,
    NodeFailed,
    OutputMissing,
    PromptInterrupted,
)
from handler.graph import FilledGraph
from handler.ports import Clock, Step

_POLL_S = 0.1
_LOOK_S = 2.0
_DEVICE_LOST = "CUDA error"  # every later call to the GPU fails too, until the process ends

log = logging.getLogger(__name__)


class Follower:
    """Follows one prompt. It has to be closed.

    ``line`` holds the prompts of the same run of ComfyUI. A prompt whose turn it is may make no
    progress for ``quiet_s`` seconds; one that is to go has ``let_go_s`` seconds to do so.
    """

    def __init__(
        self,
        process: ComfyProcess,
        client: ComfyClient,
        line: Line,
        clock: Clock,
        graph: FilledGraph,
        *,
        quiet_s: float,
        let_go_s: float,
    ) -> None:
        self._process = process
        self._client = client
        self._line = line
        self._clock = clock
        self._graph = graph
        self._quiet_s = quiet_s
        self._let_go_s = let_go_s
        self._id = str(uuid.uuid4())  # newer ComfyUIs take no other form
        self._client_id = uuid.uuid4().hex
        self._tracker = PromptTracker(self._id, graph.titles)
        classes = {node: value["class_type"] for node, value in graph.prompt.items()}
        self.times = PromptTimes(classes, clock.monotonic())
        self._last_sign = self._next_look = clock.monotonic()
        self._events: EventStream | None = None
        self._reopened = False  # and nothing came on it yet
        self._history: History | None = None

    def submit(self) -> None:
        """Queue the graph.

        Raises:
            PromptRejected, ComfyUnreachable.
        """
        self._events = self._client.events(self._client_id)
        self._client.submit(self._graph, prompt_id=self._id, client_id=self._client_id)
        self._line.join(self._id)
        now = self._clock.monotonic()
        self.times.submitted = self._last_sign = now
        self._next_look = now + _LOOK_S

    def follow(self, stop: threading.Event, notify: Callable[[Step], None]) -> OutputFile:
        """Return the output's place once the prompt is done. ``stop`` takes it back.

        Raises:
            ComfyError: any kind but PromptRejected and ComfyBootFailed.
        """
        try:
            while not self._tracker.ended:
                if self._process.wait_for_end(self._client, 0):
                    self._fail_by_death()
                if stop.is_set():
                    self._end_it()
                    raise PromptInterrupted("the prompt was cancelled")
                self._listen(notify)
                self._look()
                self._check_progress()
        finally:
            self._line.leave(self._id)
        return self._output()

    def missing(self, error: OutputMissing) -> ComfyError:
        """Return what it means that the output's file, which the history names, isn't there."""
        if self._graph.output_node not in self._tracker.cached:
            return error
        return OutputMissing(
            "ComfyUI had this graph's result in its cache and wrote no new file: "
            "the graph and its filename_prefix are those of an earlier run",
            node=self._graph.output_node,
        )

    def close(self) -> None:
        """Close the connection and let ComfyUI forget the prompt: its history holds the graph."""
        self._hang_up()
        try:
            if not self._process.wait_for_end(self._client, 0):
                self._client.forget(self._id)
        except ComfyUnreachable as error:
            log.debug("a prompt's history stays: %s", error)  # it ends with the process

    def give_up(self) -> None:
        """End ComfyUI's process at once, on this prompt's account."""
        self._line.blame(self._id)
        self._process.kill(self._client)

    def _fail_by_death(self) -> None:
        blamed = self._line.culprit() == self._id
        done = "while executing this graph" if blamed else "while this graph waited"
        raise ComfyDied(f"ComfyUI's process ended {done}", blamed=blamed)

    def _listen(self, notify: Callable[[Step], None]) -> None:
        """Take the next event, if one comes soon."""
        if self._events is None and not self._reopen():
            self._process.wait_for_end(self._client, _POLL_S)
            return
        assert self._events is not None  # _reopen said so
        try:
            event = self._events.next(_POLL_S)
        except MalformedEvent as error:
            log.warning("ComfyUI sent a malformed event: %s", error)
        except ComfyUnreachable:
            log.warning("the WebSocket to ComfyUI was cut")
            self._hang_up()
            self._next_look = self._clock.monotonic()
        else:
            if event is not None and self._tracker.concerns(event):
                self._reopened = False
                self._take(event, self._clock.monotonic(), notify)

    def _take(self, event: Event, now: float, notify: Callable[[Step], None]) -> None:
        self._last_sign = now
        self.times.feed(event, now)
        step = self._tracker.feed(event)
        if self._tracker.started:
            self._line.start(self._id)
        if step is not None:
            notify(step)

    def _reopen(self) -> bool:
        try:
            self._events = self._client.events(self._client_id)
        except ComfyUnreachable:
            return False
        self._reopened = True
        return True

    def _hang_up(self) -> None:
        if self._events is not None:
            self._events.close()
            self._events = None

    def _look(self) -> None:
        """Now and then look for the prompt in ComfyUI's queue and history."""
        now = self._clock.monotonic()
        if now < self._next_look or self._tracker.ended:
            return
        try:
            state = self._client.queued(self._id)
            if state is None:  # first: a prompt goes from the queue to the history in one step
                self._history = self._client.history(self._id, patient=False)
                self._end(now)
        except ComfyUnreachable:
            return  # busy, or at its end: that isn't for a look to tell
        finally:
            self._next_look = self._clock.monotonic() + _LOOK_S
        if state == "running" and not self._tracker.started:
            self._take(ExecutionStarted(self._id), now, lambda _: None)
        if self._reopened:  # ComfyUI may have noticed the old connection's end after the new one
            self._hang_up()

    def _end(self, now: float) -> None:
        """The prompt has left the queue, and its last message hasn't come."""
        if self._history is None:
            raise PromptInterrupted("the prompt was taken out of ComfyUI's queue")
        self.times.feed(ExecutionStarted(self._id), now - self._history.executed_s)
        self._tracker.feed(Executing(self._id, None))

    def _check_progress(self) -> None:
        now = self._clock.monotonic()
        if self._line.executing() != self._id:
            self._last_sign = now  # it waits for another
        elif now - self._last_sign > self._quiet_s and not self._tracker.ended:
            self._end_it()
            raise ComfyStalled(f"no progress for {self._quiet_s:g} s")

    def _end_it(self) -> None:
        """Take the prompt back and wait until it is gone. If ComfyUI doesn't let go of it, end
        ComfyUI."""
        deadline = self._clock.monotonic() + self._let_go_s
        while not self._process.wait_for_end(self._client, _POLL_S):
            try:
                # Again and again: ComfyUI forgets an interrupt that comes before the first node.
                self._client.cancel(self._id)
                if self._client.queued(self._id) is None:
                    return
            except ComfyUnreachable:
                pass  # it may be busy; there is a deadline
            if self._clock.monotonic() > deadline:
                log.warning("ComfyUI doesn't let go of a prompt: ending it")
                self.give_up()
                return

    def _output(self) -> OutputFile:
        """The history has the last word: events may have been missed."""
        history = self._history or self._client.history(self._id)
        now = self._clock.monotonic()
        for event in history.events if history is not None else ():
            self._tracker.feed(event)
            self.times.feed(event, now)
        self._raise_for_error()
        file = None if history is None else history.files.get(self._graph.output_node)
        if file is None:
            raise OutputMissing("the output node saved no file", node=self._graph.output_node)
        return file

    def _raise_for_error(self) -> None:
        try:
            self._tracker.raise_for_error()
        except NodeFailed as error:
            if _DEVICE_LOST not in error.exception_message:
                raise
            self.give_up()
            raise ComfyDied(f"the GPU was lost: {error}") from error
