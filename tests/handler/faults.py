"""What can go wrong around ComfyUI: nodes that misbehave, and a proxy that cuts WebSockets."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from handler.comfy.client import ComfyClient
from handler.comfy.process import ComfyProcess
from tests.handler.tiny import blank_graph

_NODES = '''
import time
import torch


class Fault:
    INPUT_TYPES = classmethod(lambda cls: {"required": {"image": ("IMAGE",), "arg": ("STRING",)}})
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"

    def run(self, image, arg):
        self.misbehave(arg)
        return (image,)


class Sleep(Fault):
    """Hears no interrupt for so many seconds."""

    def misbehave(self, arg):
        time.sleep(float(arg))


class OutOfMemory(Fault):
    def misbehave(self, arg):
        raise torch.cuda.OutOfMemoryError(arg)


class Raise(Fault):
    def misbehave(self, arg):
        raise RuntimeError(arg)


NODE_CLASS_MAPPINGS = {"TestSleep": Sleep, "TestOutOfMemory": OutOfMemory, "TestRaise": Raise}
'''


def write_fault_nodes(base: Path) -> None:
    """Put a pack of misbehaving nodes into a ComfyUI's base directory."""
    folder = base / "custom_nodes" / "faults"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(_NODES)


def faulty_graph(class_type: str, argument: str, prefix: str) -> dict[str, Any]:
    """An empty image through one of the misbehaving nodes."""
    graph = blank_graph()
    inputs = {"image": ["paint", 0], "arg": argument}
    graph["fault"] = {"class_type": class_type, "inputs": inputs}
    graph["save"]["inputs"] = {"images": ["fault", 0], "filename_prefix": prefix}
    return graph


class Proxy:
    """Stands on loopback between a client and ComfyUI. ``swallows`` is a text after which a
    WebSocket carries nothing more to the client, though it stays open."""

    def __init__(self, port: int, swallows: bytes | None = None) -> None:
        self._target = port
        self._swallows = swallows
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.web_sockets = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    @property
    def open_web_sockets(self) -> int:
        """How many WebSockets are open now; ``web_sockets`` counts all there ever were."""
        with self._lock:
            return len(self._sockets)

    def cut(self) -> None:
        """End every WebSocket, without a goodbye."""
        with self._lock:
            for web_socket in self._sockets:
                with suppress(OSError):
                    web_socket.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client = self._server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="proxy", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            first = client.recv(65_536)
            is_web_socket = first.startswith(b"GET /ws")
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                if is_web_socket:
                    with self._lock:
                        self._sockets.add(client)
                        self.web_sockets += 1
                server.sendall(first)
                back = threading.Thread(
                    target=self._pump,
                    args=(server, client, self._swallows if is_web_socket else None),
                    name="proxy",
                    daemon=True,
                )
                back.start()
                self._pump(client, server, None)
                back.join()
        with self._lock:
            self._sockets.discard(client)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, swallows: bytes | None) -> None:
        deaf = False
        with suppress(OSError):
            while data := source.recv(65_536):
                deaf = deaf or (swallows is not None and swallows in data)
                if not deaf:
                    sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class ProxiedProcess(ComfyProcess):
    """A ComfyUI's process whose clients go through a proxy."""

    def __init__(self, process: ComfyProcess, proxy: Proxy) -> None:
        self._process = process
        self._proxied = ComfyClient(f"127.0.0.1:{proxy.port}")

    @property
    def client(self) -> ComfyClient | None:
        return self._proxied if self._process.alive else None

    def ensure_running(self) -> ComfyClient:
        self._process.ensure_running()
        return self._proxied

    def wait_for_end(self, client: ComfyClient, timeout_s: float) -> bool:
        return self._process.wait_for_end(self._process.ensure_running(), timeout_s)

    def kill(self, client: ComfyClient) -> None:
        self._process.kill(self._process.ensure_running())

    def close(self) -> None:
        """Let go of open connections."""
        self._proxied.close()
