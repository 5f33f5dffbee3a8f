"""The whole system on one machine, described and started: the stand-ins for RunPod and Stripe, the
workers, the gateway."""

import fcntl
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sandbox.control_plane.worker_api import worker_environ
from sandbox.secrets_file import Secrets, load_or_create
from sandbox.supervisor import Process, Supervisor

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
ENDPOINT_ID = "sandbox"

# What children keep of the caller's environment. Nothing else: a developer's own RUNPOD_* or AWS_*
# variables must not steer, or be sent by, what runs here.
INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TZ",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "PYTHONWARNINGS",
    "OMP_NUM_THREADS",
)


class StackRunning(RuntimeError):
    """Another stack uses the state directory."""


class PortTaken(RuntimeError):
    """Something else listens on a port that was chosen."""


@dataclass(frozen=True)
class Stack:
    """Where things lie and how many there are; `environ` is the caller's environment.

    `extra` goes to the worker and the gateway last, so it overrides what is set here. Ports of 0
    mean any free one. Without a `comfyui_path`, COMFYUI_PATH in `environ` says where ComfyUI lies,
    or else it is where `python -m sandbox.install build` puts it. The SDK rounds
    `ping_interval_ms` down to whole seconds, at least 1000.
    """

    state_dir: Path
    environ: Mapping[str, str] = field(repr=False)
    workers: int = 1
    comfyui_path: Path | None = None
    models_dir: Path = ROOT / "build" / "models"
    books_dir: Path = ROOT / "build" / "books"
    face_min_area_percent: float = 10.0
    print_profile: str = "square_10"
    gateway_port: int = 0
    control_plane_port: int = 0
    stripe_port: int = 0
    ping_interval_ms: int = 2000
    worker_lost_s: float = 10.0
    poll_s: float = 3.0
    faults: bool = False
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be 1 or more, not {self.workers}")
        if self.ping_interval_ms < 1000:
            # Below a second the SDK's heartbeat computes a timeout of 0 and dies.
            raise ValueError(f"ping_interval_ms must be 1000 or more, not {self.ping_interval_ms}")

    @cached_property
    def state(self) -> Path:
        """The state directory, absolute."""
        return self.state_dir.resolve()

    @cached_property
    def secrets(self) -> Secrets:
        """Made on first use, then the same at each start in this state directory."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        return load_or_create(self.state / "secrets.json")

    @cached_property
    def gateway_url(self) -> str:
        """Origin of the shop's API."""
        return f"http://{HOST}:{self.gateway_port or _free_port()}"

    @cached_property
    def control_plane_url(self) -> str:
        """Origin of the stand-in for api.runpod.ai."""
        return f"http://{HOST}:{self.control_plane_port or _free_port()}"

    @cached_property
    def stripe_url(self) -> str:
        """Origin of the stand-in for api.stripe.com, and of the pages where books are paid."""
        return f"http://{HOST}:{self.stripe_port or _free_port()}"

    @cached_property
    def mail_dir(self) -> Path:
        """Where letters go, one file each."""
        return self.state / "mail"

    @cached_property
    def print_dir(self) -> Path:
        """Where print jobs go, one folder each."""
        return self.state / "print_jobs"

    @cached_property
    def store_url(self) -> str:
        """The folder that stands for the object store, as a file URL."""
        return (self.state / "store").as_uri()

    def worker_names(self) -> list[str]:
        """The workers' process names, which are also their RunPod pod ids."""
        return [f"worker-{number}" for number in range(1, self.workers + 1)]

    def processes(self) -> list[Process]:
        """The stand-ins first; workers and gateway once they are ready."""
        return [
            self._control_plane(),
            self._stripe(),
            *(self._worker(name) for name in self.worker_names()),
            self._gateway(),
        ]

    @contextmanager
    def up(self, notify: Callable[[str], None] | None = None) -> Iterator[Supervisor]:
        """Run the whole stack for as long as the block runs.

        Raises StackRunning, PortTaken, SupervisorError, InvalidSecrets, OSError.
        """
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self.state / "lock"):
            for port in (self.gateway_port, self.control_plane_port, self.stripe_port):
                _check_free(port)
            for name in ("store", "home", "logs"):
                (self.state / name).mkdir(exist_ok=True)
            with Supervisor(self.processes(), notify=notify) as supervisor:
                yield supervisor

    def _control_plane(self) -> Process:
        port = self.control_plane_url.rpartition(":")[2]
        return Process(
            name="control-plane",
            argv=[sys.executable, "-m", "sandbox.control_plane", "--port", port],
            env={
                **self._inherited(),
                "SANDBOX_ENDPOINT_ID": ENDPOINT_ID,
                "SANDBOX_API_KEY": self.secrets.api_key,
                "SANDBOX_WORKER_KEY": self.secrets.worker_key,
                "SANDBOX_WORKER_LOST_S": str(self.worker_lost_s),
                "SANDBOX_WORKERS_MAX": str(self.workers),
                "SANDBOX_POLL_S": str(self.poll_s),
                "SANDBOX_FAULTS": "1" if self.faults else "0",
            },
            log=self.state / "logs" / "control-plane.log",
            cwd=ROOT,
            ready_url=f"{self.control_plane_url}/ready",
            stage=0,
        )

    def _stripe(self) -> Process:
        port = self.stripe_url.rpartition(":")[2]
        return Process(
            name="stripe",
            argv=[sys.executable, "-m", "sandbox.stripe_stand_in", "--port", port],
            env={
                **self._inherited(),
                "SANDBOX_STRIPE_KEY": self.secrets.stripe_key,
                "SANDBOX_STRIPE_WEBHOOK_SECRET": self.secrets.stripe_webhook_secret,
                "SANDBOX_STRIPE_WEBHOOK_URL": f"{self.gateway_url}/webhooks/stripe",
            },
            log=self.state / "logs" / "stripe.log",
            cwd=ROOT,
            ready_url=f"{self.stripe_url}/ready",
            stage=0,
        )

    def _worker(self, name: str) -> Process:
        return Process(
            name=name,
            argv=[sys.executable, "-m", "handler"],
            env={
                **self._inherited(),
                # The SDK prefers a key it finds in ~/.runpod/config.toml over the environment's.
                "HOME": str(self.state / "home"),
                **worker_environ(
                    self.control_plane_url,
                    ENDPOINT_ID,
                    worker_id=name,
                    key=self.secrets.worker_key,
                    ping_interval_ms=self.ping_interval_ms,
                ),
                "OBJECT_STORE_URL": self.store_url,
                "COMFYUI_PATH": str(self._comfyui()),
                "COMFYUI_BASE_DIR": str(self.state / "comfyui" / name),
                "COMFYUI_MODELS_DIR": str(self.models_dir),
                "COMFYUI_DEVICE": "cpu",
                "CALLBACK_URL": f"{self.gateway_url}/webhooks/runpod/status",
                "CALLBACK_SECRET": self.secrets.callback_secret,
                **self.extra,
            },
            log=self.state / "logs" / f"{name}.log",
            cwd=ROOT,
            stage=1,
            restart=True,
        )

    def _gateway(self) -> Process:
        return Process(
            name="gateway",
            argv=[sys.executable, "-m", "gateway"],
            env={
                **self._inherited(),
                "HOST": HOST,
                "PORT": self.gateway_url.rpartition(":")[2],
                "PUBLIC_URL": self.gateway_url,
                "DATABASE_URL": f"sqlite:///{self.state / 'foxetales.db'}",
                "OBJECT_STORE_URL": self.store_url,
                "BOOKS_DIR": str(self.books_dir),
                "PAGE_LOOK": "draft",  # a machine of its own has no model weights
                "RUNPOD_API_URL": f"{self.control_plane_url}/v2",
                "RUNPOD_ENDPOINT_ID": ENDPOINT_ID,
                "RUNPOD_API_KEY": self.secrets.api_key,
                "RUNPOD_WEBHOOK_TOKEN": self.secrets.webhook_token,
                "APP_SECRET": self.secrets.app_secret,
                "CALLBACK_SECRET": self.secrets.callback_secret,
                "FACE_MODEL_PATH": str(self.models_dir / "face_detection" / "centerface.onnx"),
                "FACE_MIN_AREA_PERCENT": str(self.face_min_area_percent),
                "STRIPE_API_URL": self.stripe_url,
                "STRIPE_API_KEY": self.secrets.stripe_key,
                "STRIPE_WEBHOOK_SECRETS": self.secrets.stripe_webhook_secret,
                "ALLOW_TEST_PAYMENTS": "true",  # others aren't made here
                "PRINT_PROFILE": self.print_profile,
                "PRINT_DROP_DIR": str(self.print_dir),
                "MAIL_OUTBOX_DIR": str(self.mail_dir),
                **self.extra,
            },
            log=self.state / "logs" / "gateway.log",
            cwd=ROOT,
            ready_url=f"{self.gateway_url}/ready",
            stage=1,
            restart=True,
        )

    def _comfyui(self) -> Path:
        if self.comfyui_path is not None:
            return self.comfyui_path
        chosen = self.environ.get("COMFYUI_PATH")
        return Path(chosen).resolve() if chosen else ROOT / "build" / "comfyui"

    def _inherited(self) -> dict[str, str]:
        kept = {name: self.environ[name] for name in INHERITED if name in self.environ}
        return {**kept, "PYTHONUNBUFFERED": "1"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _check_free(port: int) -> None:
    """A process that can't listen would be restarted for ever, and who does listen there would
    answer that all is ready."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers themselves do
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(
                f"something else listens on port {port}: stop it, or choose another port"
            ) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackRunning(f"another stack runs in {path.parent}") from error
        yield
