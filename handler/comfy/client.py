"""ComfyUI's HTTP and WebSocket protocol. Everything here blocks: call it from threads."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

import requests
import websocket

from handler.comfy.events import Event, parse_event
from handler.comfy.history import History, parse_history
from handler.comfy.rejection import rejection_of
from handler.errors import ComfyUnreachable, PromptRejected
from handler.graph import FilledGraph

_TIMEOUT_S = (3.0, 30.0)  # to connect, and between two bytes
_GLANCE_S = (1.0, 1.0)  # for questions about a prompt: they are asked again
_CLOSE_S = 1


class ComfyClient:
    """Speaks to the ComfyUI at ``address``, ``host:port``. Any thread may call any method."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy setting must not reach loopback
        # A kept connection saves little on loopback, and fails if ComfyUI closes it just then.
        self._http.headers["Connection"] = "close"

    def close(self) -> None:
        """Let go of open connections."""
        self._http.close()

    def command_line(self) -> list[str]:
        """The arguments that the server was started with.

        Raises:
            ComfyUnreachable.
        """
        stats = self._get("/system_stats")
        argv = stats.get("system", {}).get("argv", []) if isinstance(stats, dict) else []
        return [str(argument) for argument in argv]

    def node_classes(self) -> frozenset[str]:
        """The names of every node class that is loaded.

        Raises:
            ComfyUnreachable.
        """
        return frozenset(self._get("/object_info"))

    def has_model(self, folder: str, file: str) -> bool:
        """Whether a models folder has a file.

        Raises:
            ComfyUnreachable.
        """
        answer = self._request("GET", f"/models/{quote(folder, safe='')}", None)
        return answer.ok and file in answer.json()

    def events(self, client_id: str) -> "EventStream":
        """Open a WebSocket on which the events of ``client_id``'s prompts arrive. One that was
        opened before for the same id gets nothing more.

        Raises:
            ComfyUnreachable.
        """
        url = f"ws://{self._address}/ws?clientId={client_id}"
        with _translated():
            return EventStream(websocket.create_connection(url, timeout=_TIMEOUT_S[0]))

    def submit(self, graph: FilledGraph, *, prompt_id: str, client_id: str) -> None:
        """Queue a graph under an id of our own.

        If ComfyUI accepts only a part of it, that part is taken back.

        Raises:
            PromptRejected: names the node and the input.
            ComfyUnreachable.
        """
        body = {"prompt": graph.prompt, "prompt_id": prompt_id, "client_id": client_id}
        answer = self._request("POST", "/prompt", body)
        rejection = self._rejection(answer, graph.titles)
        if rejection is not None:
            if answer.ok:
                self.cancel(prompt_id, patient=True)  # a first prompt makes ComfyUI slow to answer
            raise rejection

    def cancel(self, prompt_id: str, *, patient: bool = False) -> None:
        """Take a prompt out of the queue, or interrupt it if it runs. Others are left alone.
        Without ``patient`` an answer must come soon.

        Raises:
            ComfyUnreachable.
        """
        timeout_s = _TIMEOUT_S if patient else _GLANCE_S
        self._post("/queue", {"delete": [prompt_id]}, timeout_s)
        self._post("/interrupt", {"prompt_id": prompt_id}, timeout_s)

    def queued(self, prompt_id: str) -> Literal["running", "pending"] | None:
        """Whether a prompt is executed or waits; None if it is not, or no longer, in the queue.

        Raises:
            ComfyUnreachable.
        """
        queue = self._get("/queue", _GLANCE_S)
        for state in ("running", "pending"):
            if any(entry[1] == prompt_id for entry in queue.get(f"queue_{state}", [])):
                return state
        return None

    def history(self, prompt_id: str, *, patient: bool = True) -> History | None:
        """Return the history of a prompt that has ended, None if there is none. Without
        ``patient`` an answer must come soon.

        Raises:
            ComfyUnreachable.
        """
        timeout_s = _TIMEOUT_S if patient else _GLANCE_S
        history = self._get(f"/history/{prompt_id}", timeout_s)
        entry = history.get(prompt_id) if isinstance(history, dict) else None
        return parse_history(entry) if isinstance(entry, dict) else None

    def forget(self, prompt_id: str) -> None:
        """Remove a prompt's history: it holds the whole graph.

        Raises:
            ComfyUnreachable.
        """
        self._post("/history", {"delete": [prompt_id]}, _GLANCE_S)

    def free(self) -> None:
        """Have every model unloaded and every cached result dropped before the next prompt.

        Raises:
            ComfyUnreachable.
        """
        self._post("/free", {"unload_models": True, "free_memory": True})

    def _rejection(
        self, answer: requests.Response, titles: Mapping[str, str]
    ) -> PromptRejected | None:
        if answer.status_code >= 500:
            return PromptRejected(f"ComfyUI answered {answer.status_code} to the graph")
        try:
            body = answer.json()
        except requests.JSONDecodeError:
            return PromptRejected(f"ComfyUI answered {answer.status_code} without JSON")
        rejection = rejection_of(body, titles)
        if rejection is None and not answer.ok:
            return PromptRejected(f"ComfyUI answered {answer.status_code} to the graph")
        return rejection

    def _get(self, path: str, timeout_s: tuple[float, float] = _TIMEOUT_S) -> Any:
        answer = self._checked("GET", path, None, timeout_s)
        try:
            return answer.json()
        except requests.JSONDecodeError as error:
            raise ComfyUnreachable(f"ComfyUI's answer to {path} is not JSON") from error

    def _post(
        self, path: str, body: dict[str, Any], timeout_s: tuple[float, float] = _TIMEOUT_S
    ) -> None:
        self._checked("POST", path, body, timeout_s)

    def _checked(
        self, method: str, path: str, body: dict[str, Any] | None, timeout_s: tuple[float, float]
    ) -> requests.Response:
        answer = self._request(method, path, body, timeout_s)
        if not answer.ok:
            raise ComfyUnreachable(f"ComfyUI answered {answer.status_code} to {method} {path}")
        return answer

    def _request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        timeout_s: tuple[float, float] = _TIMEOUT_S,
    ) -> requests.Response:
        with _translated():
            url = f"http://{self._address}{path}"
            return self._http.request(method, url, json=body, timeout=timeout_s)


class EventStream:
    """The receiving end of one WebSocket; a context manager that closes it."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye, wait a moment for the answer, and close it. ComfyUI forgets a client when
        its connection ends: after this it is safe to open another for the same id."""
        self._connection.close(timeout=_CLOSE_S)

    def next(self, timeout_s: float) -> Event | None:
        """Return the next event, or None if none came within ``timeout_s`` seconds.

        Raises:
            MalformedEvent: the message makes no sense; the stream goes on.
            ComfyUnreachable: the stream has ended.
        """
        self._connection.settimeout(timeout_s)
        with _translated():
            try:
                opcode, data = self._connection.recv_data()
            except websocket.WebSocketTimeoutException:
                return None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise ComfyUnreachable("ComfyUI closed its WebSocket")
        is_text = opcode == websocket.ABNF.OPCODE_TEXT
        return parse_event(data.decode("utf-8", "replace") if is_text else data)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn two libraries' errors into ours."""
    try:
        yield
    except (requests.RequestException, websocket.WebSocketException, OSError) as error:
        raise ComfyUnreachable(f"ComfyUI can't be reached: {type(error).__name__}") from error
