"""A real ComfyUI on the CPU with our node pack, for tests: the worker's own process class."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import websocket

from handler.adapters.clock import SystemClock
from handler.comfy.files import ComfyFiles
from handler.comfy.process import ComfyOptions, ComfyProcess
from tests.comfy_nodes.pictures import ROOT
from tests.comfyui_checkout import COMFYUI

MODELS = ROOT / "build" / "models"
_TIMEOUT_S = 120


@dataclass(frozen=True)
class Event:
    """A text message of ComfyUI's WebSocket."""

    type: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Comfy:
    """A running ComfyUI: its address `host:port` and its base directory."""

    address: str
    base: Path

    def node_info(self) -> dict[str, Any]:
        """What `/object_info` says of every node class."""
        answer = requests.get(f"http://{self.address}/object_info", timeout=_TIMEOUT_S)
        info: dict[str, Any] = answer.json()
        return info

    def run(self, graph: dict[str, Any]) -> list[Event]:
        """Run a graph to its end; all events of it, the last says how it ended."""
        client, prompt = uuid.uuid4().hex, str(uuid.uuid4())
        url = f"ws://{self.address}/ws?clientId={client}"
        socket = websocket.create_connection(url, timeout=_TIMEOUT_S)
        try:
            answer = self.submit(graph, client_id=client, prompt_id=prompt)
            answer.raise_for_status()
            return list(_until_the_end(socket, prompt))
        finally:
            socket.close(timeout=1)

    def submit(self, graph: dict[str, Any], **fields: str) -> requests.Response:
        """Queue a graph; ComfyUI's answer."""
        url, body = f"http://{self.address}/prompt", {"prompt": graph, **fields}
        return requests.post(url, json=body, timeout=_TIMEOUT_S)


@contextmanager
def running_comfy(base: Path) -> Iterator[Comfy]:
    """Boot ComfyUI in a base directory, and end it."""
    files = ComfyFiles(base, node_pack=ROOT / "comfy_nodes", models=MODELS)
    options = ComfyOptions(COMFYUI, environment={"PATH": os.environ["PATH"]}, cpu=True)
    process = ComfyProcess(options, files, SystemClock())
    try:
        client = process.ensure_running()
        arguments = client.command_line()
        port = arguments[arguments.index("--port") + 1]
        yield Comfy(f"127.0.0.1:{port}", files.root)
    finally:
        process.stop()


def _until_the_end(socket: websocket.WebSocket, prompt: str) -> Iterator[Event]:
    while True:
        message = socket.recv()
        if not isinstance(message, str):
            continue
        event = Event(**{key: json.loads(message)[key] for key in ("type", "data")})
        if event.data.get("prompt_id") != prompt:
            continue
        yield event
        if event.type in ("execution_error", "execution_interrupted", "execution_success"):
            return
