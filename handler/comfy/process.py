"""ComfyUI's process: boot, readiness, death, its log."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path

from handler.comfy.client import ComfyClient
from handler.comfy.files import ComfyFiles
from handler.errors import ComfyBootFailed, ComfyUnreachable
from handler.ports import Clock

_LAUNCHER = Path(__file__).with_name("launcher.py")
_POLL_S = 0.1
_STOP_TIMEOUT_S = 5.0
_TAIL_LINES = 200
_LINE_CHARACTERS = 500
_LOG_BYTES = 5_000_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ComfyOptions:
    """How ComfyUI is started.

    ``folder`` holds its ``main.py``. ``environment`` is all that the process sees.
    ``cache_nodes`` results stay in memory, so that a book's pages share what they can: models and
    text of the largest workflow. More would only hold the pictures of pages that are done.
    """

    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    cpu: bool = False
    boot_timeout_s: float = 300.0
    cache_nodes: int = 40
    extra_arguments: tuple[str, ...] = ()


class ComfyProcess:
    """At most one ComfyUI on loopback, booted on demand. Its methods block; any thread may call
    them."""

    def __init__(self, options: ComfyOptions, files: ComfyFiles, clock: Clock) -> None:
        self._options = options
        self._files = files
        self._clock = clock
        self._lock = threading.RLock()
        self._child: _Child | None = None
        self._client: ComfyClient | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        child = self._child
        return child is not None and not child.exited.is_set()

    @property
    def client(self) -> ComfyClient | None:
        """A client of the ComfyUI that is booted and runs, if there is one."""
        return self._client if self.alive else None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        child = self._child
        return child.pid if child is not None and not child.exited.is_set() else None

    def log_tail(self) -> str:
        """The last lines that ComfyUI wrote, of this or the last boot."""
        return "\n".join(self._child.tail) if self._child is not None else ""

    def wait_for_end(self, client: ComfyClient, timeout_s: float) -> bool:
        """Wait until the process that ``client`` speaks to has ended, for at most ``timeout_s``
        seconds; say whether it has. Another may run by then."""
        child = self._child  # read first: a new child never comes with an old client
        return client is not self._client or child is None or child.exited.wait(timeout_s)

    def kill(self, client: ComfyClient) -> None:
        """End the process that ``client`` speaks to at once, even one that is stopped by a signal.
        Does nothing if it has ended; another that runs by then is left alone."""
        child = self._child
        if child is not None and client is self._client:
            child.kill()

    def ensure_running(self) -> ComfyClient:
        """Return a client of the running ComfyUI, booting it first if there is none.

        Raises:
            ComfyBootFailed: it ended, or wasn't ready in time; it is stopped then.
        """
        with self._lock:
            if self._client is None or not self.alive:
                self._boot()
            assert self._client is not None  # _boot sets it or raises
            return self._client

    def stop(self) -> None:
        """End the process, by force if it doesn't go within seconds. Does nothing if there is
        none. Ends a boot in another thread too, which then fails."""
        if self._child is not None:
            self._child.stop()
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None
            if self._child is not None:
                self._child.stop()

    def _boot(self) -> None:
        self.stop()
        began = self._clock.monotonic()
        try:
            self._files.prepare()
            port = _free_port()
            self._child = _Child(self._command(port), self._environment(), self._files.root)
        except OSError as error:
            raise ComfyBootFailed(f"ComfyUI can't be started: {error}") from error
        client = ComfyClient(f"127.0.0.1:{port}")
        try:
            self._await_ready(client, self._child, began + self._options.boot_timeout_s)
        except BaseException:
            client.close()
            self._child.stop()
            raise
        self._client = client
        log.info("ComfyUI is ready after %.1f s", self._clock.monotonic() - began)

    def _await_ready(self, client: ComfyClient, child: "_Child", deadline: float) -> None:
        while not child.exited.wait(_POLL_S):
            try:
                # Another program may have taken the port in the meantime: ask whose it is.
                if str(self._files.root) in client.command_line():
                    return
            except ComfyUnreachable:
                pass  # not listening yet
            if self._clock.monotonic() > deadline:
                raise ComfyBootFailed(
                    f"ComfyUI was not ready after {self._options.boot_timeout_s:g} s",
                    "\n".join(child.tail),
                )
        child.drain()
        tail = list(child.tail)
        reason = next((line for line in reversed(tail) if line.strip()), "it said nothing")
        raise ComfyBootFailed(
            f"ComfyUI ended with status {child.returncode} while booting: {reason}",
            "\n".join(tail),
        )

    def _command(self, port: int) -> list[str]:
        root = self._files.root
        return [
            *(sys.executable, str(_LAUNCHER), str(os.getpid()), str(self._options.folder)),
            *("--listen", "127.0.0.1", "--port", str(port), "--disable-auto-launch"),
            *("--base-directory", str(root), "--temp-directory", str(root)),
            *("--extra-model-paths-config", str(self._files.model_paths)),
            *("--front-end-root", str(self._files.frontend)),
            *("--database-url", "sqlite:///:memory:"),
            *("--disable-metadata", "--disable-api-nodes", "--log-stdout"),
            *("--cache-lru", str(self._options.cache_nodes)),
            *(("--cpu",) if self._options.cpu else ()),
            *self._options.extra_arguments,
        ]

    def _environment(self) -> dict[str, str]:
        return {
            **self._options.environment,
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "DO_NOT_TRACK": "1",
            "PYTHONUNBUFFERED": "1",
        }


class _Child:
    """One run of the process.

    Linux kills it when the *thread* that started it ends, so a thread of its own starts it and
    then does nothing but wait for its end.
    """

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.exited = threading.Event()
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self.returncode: int | None = None
        self._spawned = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._failure: OSError | None = None
        self._pump_thread = threading.Thread(target=self._pump, args=(folder,), daemon=True)
        arguments = (command, environment, folder)
        threading.Thread(target=self._live, args=arguments, daemon=True).start()
        self._spawned.wait()
        if self._failure is not None:
            raise self._failure
        self._pump_thread.start()

    @property
    def pid(self) -> int:
        assert self._process is not None  # __init__ raised otherwise
        return self._process.pid

    def stop(self) -> None:
        self._end(signal.SIGTERM)
        self.kill()

    def kill(self) -> None:
        self._end(signal.SIGKILL)
        self.drain()

    def drain(self) -> None:
        """Let the log's last lines arrive."""
        self._pump_thread.join(timeout=1.0)

    def _end(self, kind: signal.Signals) -> None:
        if self.exited.is_set():
            return
        with suppress(ProcessLookupError):
            os.killpg(self.pid, kind)  # it leads a session of its own
        self.exited.wait(_STOP_TIMEOUT_S)

    def _live(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own launcher, no shell
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # a Ctrl-C in a terminal is for the worker alone
            )
        except OSError as error:
            self._failure = error
            self._spawned.set()
            return
        self._spawned.set()
        self.returncode = self._process.wait()
        self.exited.set()

    def _pump(self, folder: Path) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        file = RotatingFileHandler(
            folder / "comfyui.log", maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8"
        )
        with self._process.stdout as lines:
            for line in lines:
                text = line.rstrip()[:_LINE_CHARACTERS]
                self.tail.append(text)
                record = logging.LogRecord("comfyui", logging.INFO, "", 0, text, None, None)
                file.emit(record)
        file.close()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
