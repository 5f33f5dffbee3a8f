"""ComfyUI's HTTP and WebSocket protocol. Everything here blocks: call it from threads."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
import websocket

from handler.comfy.events import Event, parse_event
from handler.comfy.rejection import rejection_of
from handler.errors import ComfyUnreachable, OutputMissing, PromptRejected
from handler.graph import FilledGraph

_TIMEOUT_S = (3.0, 30.0)  # to connect, and between two bytes


@dataclass(frozen=True)
class OutputFile:
    """A file that ComfyUI wrote below its output folder."""

    subfolder: str
    name: str


class ComfyClient:
    """Speaks to the ComfyUI at ``address``, ``host:port``. Any thread may call any method."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy setting must not reach loopback

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

    @contextmanager
    def events(self, client_id: str) -> Iterator["EventStream"]:
        """Open a WebSocket on which the events of ``client_id``'s prompts arrive.

        Raises:
            ComfyUnreachable.
        """
        url = f"ws://{self._address}/ws?clientId={client_id}"
        with _translated():
            connection = websocket.create_connection(url, timeout=_TIMEOUT_S[0])
        try:
            yield EventStream(connection)
        finally:
            connection.close(timeout=1)

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
                self.cancel(prompt_id)
            raise rejection

    def cancel(self, prompt_id: str) -> None:
        """Take a prompt out of the queue, or interrupt it if it runs. Others are left alone.

        Raises:
            ComfyUnreachable.
        """
        self._post("/queue", {"delete": [prompt_id]})
        self._post("/interrupt", {"prompt_id": prompt_id})

    def is_queued(self, prompt_id: str) -> bool:
        """Whether a prompt waits or runs.

        Raises:
            ComfyUnreachable.
        """
        queue = self._get("/queue")
        entries = [*queue.get("queue_running", []), *queue.get("queue_pending", [])]
        return any(entry[1] == prompt_id for entry in entries)

    def output_file(self, prompt_id: str, node: str) -> OutputFile:
        """Return the first file that ``node`` saved in a finished prompt.

        Raises:
            OutputMissing: the prompt or the node has no file in the output folder.
            ComfyUnreachable.
        """
        history = self._get(f"/history/{prompt_id}")
        entry = history.get(prompt_id) if isinstance(history, dict) else None
        outputs = entry.get("outputs", {}) if isinstance(entry, dict) else {}
        saved = saved_file(outputs.get(node, {}))
        if saved is None:
            raise OutputMissing("the output node saved no file", node=node)
        return saved

    def forget(self, prompt_id: str) -> None:
        """Remove a prompt's history: it holds the whole graph.

        Raises:
            ComfyUnreachable.
        """
        self._post("/history", {"delete": [prompt_id]})

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

    def _get(self, path: str) -> Any:
        answer = self._checked("GET", path, None)
        try:
            return answer.json()
        except requests.JSONDecodeError as error:
            raise ComfyUnreachable(f"ComfyUI's answer to {path} is not JSON") from error

    def _post(self, path: str, body: dict[str, Any]) -> None:
        self._checked("POST", path, body)

    def _checked(self, method: str, path: str, body: dict[str, Any] | None) -> requests.Response:
        answer = self._request(method, path, body)
        if not answer.ok:
            raise ComfyUnreachable(f"ComfyUI answered {answer.status_code} to {method} {path}")
        return answer

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> requests.Response:
        with _translated():
            url = f"http://{self._address}{path}"
            return self._http.request(method, url, json=body, timeout=_TIMEOUT_S)


def saved_file(output: Mapping[str, Any]) -> OutputFile | None:
    """Return the first file in the output folder that a node's entry in the history names.

    Each kind of node has its own list there: ``images``, ``identities``, and beside them lists of
    other things, such as ``animated: [true]``.
    """
    lists = (value for value in output.values() if isinstance(value, list))
    for item in itertools.chain.from_iterable(lists):
        if isinstance(item, dict) and item.get("type") == "output" and "filename" in item:
            return OutputFile(str(item.get("subfolder", "")), str(item["filename"]))
    return None


class EventStream:
    """The receiving end of one WebSocket."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection

    def next(self, timeout_s: float) -> Event | None:
        """Return the next event, or None if none came within ``timeout_s`` seconds.

        Raises:
            MalformedEvent: the message makes no sense; the stream goes on.
            ComfyUnreachable: the stream has ended.
        """
        self._connection.settimeout(timeout_s)
        try:
            with _translated():
                opcode, data = self._connection.recv_data()
        except TimeoutError:
            return None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise ComfyUnreachable("ComfyUI closed its WebSocket")
        is_text = opcode == websocket.ABNF.OPCODE_TEXT
        return parse_event(data.decode("utf-8", "replace") if is_text else data)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn two libraries' errors into ours. A receive that timed out is a TimeoutError."""
    try:
        yield
    except websocket.WebSocketTimeoutException as error:
        raise TimeoutError from error
    except (requests.RequestException, websocket.WebSocketException, OSError) as error:
        raise ComfyUnreachable(f"ComfyUI can't be reached: {type(error).__name__}") from error
