"""The worker's settings, from a mapping such as ``os.environ``.

OBJECT_STORE_URL        ``file:///folder`` or ``s3://bucket`` (then also S3_ENDPOINT_URL, S3_REGION,
                        S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY); required
COMFYUI_PATH            folder with ComfyUI's main.py; default: ``build/comfyui`` of this
                        repository, or a comfy-cli workspace (``~/comfy/ComfyUI``)
COMFYUI_BASE_DIR        its base directory; default: a fresh temporary folder, removed at the end
COMFYUI_MODELS_DIR      a further folder of models folders; default: ``build/models``, if there
COMFYUI_DEVICE          ``auto`` (default) or ``cpu``
COMFYUI_BOOT_TIMEOUT_S  seconds until ComfyUI must be ready; default 300
COMFYUI_EXTRA_ARGS      more arguments for it, as in a shell
NODE_PACK_DIR           our ComfyUI nodes; default: ``comfy_nodes`` of this repository
WORKFLOWS_DIR           released workflows; default: ``workflows`` of this repository
CALLBACK_URL            where the gateway takes status callbacks; together with
CALLBACK_SECRET         ``whsec_…``, which signs them
PAGE_QUIET_TIMEOUT_S    seconds that a page may be executed without progress; default 300
REQUIRED_WORKFLOWS      ``name/vN`` by commas: the worker doesn't start unless it can render them
MODEL_LIST              the list of model files; default: ``models.txt`` of this repository
MODELS_CHECK            ``sha256`` (default) or ``present``: what is checked of required files
MODEL_HASHES            where hashes of model files are kept; default: beside the models
WARM_UP                 ``true`` (default) or ``false``: render each required workflow at start
WARM_UP_SIZE            edge of that picture in pixels; default 1024
RAW_WORKFLOWS           ``true`` or ``false`` (default): take ComfyUI graphs, not only jobs
RAW_OUTPUT              ``base64`` (default) or ``store``: how their files are handed over
INPUT_CACHE_DIR         where decoded template art is kept, which several workers may share;
                        default: a folder in the base directory
INPUT_CACHE_MB          its size in MiB, 0 for none; default 2048
INPUT_URL_HOSTS         hosts, or ``*.suffix``, by commas, from which inputs are read; default none
LOG_LEVEL               ``debug``, ``info`` (default), ``warning`` or ``error``
RUNPOD_POD_ID           set by RunPod; named in results
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from contract.signing import check_secret

_REPOSITORY = Path(__file__).resolve().parent.parent
_HASHES_NAME = ".model_hashes.json"
_WORKFLOW = re.compile(r"([a-z][a-z0-9_]{0,63})/v([1-9][0-9]{0,5})")
_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+")
_LOG_LEVELS = ("debug", "info", "warning", "error")
_PRIVATE_PREFIXES = ("S3_", "AWS_", "CALLBACK_", "RUNPOD_", "OBJECT_STORE_")


class SettingsInvalid(Exception):
    """Settings are missing or wrong; the text names all of them, and never a secret's value."""


@dataclass(frozen=True)
class Settings:
    """What the worker was told. Values that grant access are left out of its repr; so is
    the callback's URL, whose path may hold a token.

    ``store_environment`` and ``comfy_environment`` are the parts of the mapping that the object
    store reads and that ComfyUI's process sees: none of the worker's own secrets.
    """

    object_store_url: str
    store_environment: Mapping[str, str] = field(repr=False)
    comfy_environment: Mapping[str, str] = field(repr=False)
    comfyui_path: Path
    comfyui_base_dir: Path | None
    comfyui_models_dir: Path | None
    comfyui_cpu: bool
    comfyui_boot_timeout_s: float
    comfyui_extra_args: tuple[str, ...]
    node_pack_dir: Path
    workflows_dir: Path
    callback_url: str | None = field(repr=False)
    callback_secret: str | None = field(repr=False)
    page_quiet_timeout_s: float
    required_workflows: tuple[tuple[str, int], ...]
    model_list: Path
    check_hashes: bool
    model_hashes: Path
    warm_up: bool
    warm_up_size: int
    raw_workflows: bool
    raw_to_store: bool
    input_cache_dir: Path | None
    input_cache_bytes: int
    input_url_hosts: tuple[str, ...]
    log_level: str
    worker_id: str


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings in ``environ``; an empty value counts as absent.

    Raises:
        SettingsInvalid: names every problem at once.
    """
    reader = _Reader({name: value for name, value in environ.items() if value.strip()})
    callback_url, callback_secret = reader.callback()
    models_dir = reader.models()
    settings = Settings(
        object_store_url=reader.required("OBJECT_STORE_URL"),
        store_environment={n: v for n, v in environ.items() if n.startswith("S3_")},
        comfy_environment={n: v for n, v in environ.items() if not n.startswith(_PRIVATE_PREFIXES)},
        comfyui_path=reader.comfyui(),
        comfyui_base_dir=reader.path("COMFYUI_BASE_DIR"),
        comfyui_models_dir=models_dir,
        comfyui_cpu=reader.choice("COMFYUI_DEVICE", ("auto", "cpu"), "auto") == "cpu",
        comfyui_boot_timeout_s=reader.seconds("COMFYUI_BOOT_TIMEOUT_S", 300.0),
        comfyui_extra_args=reader.arguments("COMFYUI_EXTRA_ARGS"),
        node_pack_dir=reader.folder("NODE_PACK_DIR", _REPOSITORY / "comfy_nodes"),
        workflows_dir=reader.folder("WORKFLOWS_DIR", _REPOSITORY / "workflows"),
        callback_url=callback_url,
        callback_secret=callback_secret,
        page_quiet_timeout_s=reader.seconds("PAGE_QUIET_TIMEOUT_S", 300.0),
        required_workflows=reader.workflows("REQUIRED_WORKFLOWS"),
        model_list=reader.path("MODEL_LIST") or _REPOSITORY / "models.txt",
        check_hashes=reader.choice("MODELS_CHECK", ("sha256", "present"), "sha256") == "sha256",
        model_hashes=reader.path("MODEL_HASHES") or (models_dir or _REPOSITORY) / _HASHES_NAME,
        warm_up=reader.flag("WARM_UP", default=True),
        warm_up_size=reader.pixels("WARM_UP_SIZE", 1024),
        raw_workflows=reader.flag("RAW_WORKFLOWS", default=False),
        raw_to_store=reader.choice("RAW_OUTPUT", ("base64", "store"), "base64") == "store",
        input_cache_dir=reader.path("INPUT_CACHE_DIR"),
        input_cache_bytes=reader.mebibytes("INPUT_CACHE_MB", 2048),
        input_url_hosts=reader.hosts("INPUT_URL_HOSTS"),
        log_level=reader.choice("LOG_LEVEL", _LOG_LEVELS, "info").upper(),
        worker_id=reader.text("RUNPOD_POD_ID")[:200],
    )
    if reader.problems:
        raise SettingsInvalid("; ".join(reader.problems))
    return settings


class _Reader:
    """Reads one setting after the other and collects what is wrong with them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        return self._values.get(name, "").strip()

    def required(self, name: str) -> str:
        if not self.text(name):
            self.problems.append(f"{name} is missing")
        return self.text(name)

    def path(self, name: str) -> Path | None:
        return Path(self.text(name)).expanduser().resolve() if self.text(name) else None

    def folder(self, name: str, default: Path) -> Path:
        path = self.path(name) or default
        if not path.is_dir():
            self.problems.append(f"{name}: {path} is not a folder")
        return path

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name).lower() or default
        if value not in choices:
            self.problems.append(f"{name} is one of {', '.join(choices)}")
            return default
        return value

    def seconds(self, name: str, default: float) -> float:
        try:
            value = float(self.text(name) or default)
        except ValueError:
            value = 0.0
        if not 0 < value <= 86_400:
            self.problems.append(f"{name} is a number of seconds, at most a day")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        return self.choice(name, ("true", "false"), str(default).lower()) == "true"

    def pixels(self, name: str, default: int) -> int:
        text = self.text(name) or str(default)
        value = int(text) if text.isascii() and text.isdigit() else 0
        if not 64 <= value <= 4096 or value % 8:
            self.problems.append(f"{name} is a multiple of 8, from 64 to 4096")
        return value

    def mebibytes(self, name: str, default: int) -> int:
        text = self.text(name) or str(default)
        if not (text.isascii() and text.isdigit()) or len(text) > 7:
            self.problems.append(f"{name} is a whole number of MiB, 0 or more")
            return default
        return int(text) * 1024 * 1024

    def listed(self, name: str) -> tuple[str, ...]:
        parts = (part.strip() for part in self.text(name).split(","))
        return tuple(dict.fromkeys(part for part in parts if part))

    def workflows(self, name: str) -> tuple[tuple[str, int], ...]:
        matches = [_WORKFLOW.fullmatch(entry) for entry in self.listed(name)]
        if None in matches:
            self.problems.append(f"{name} lists workflows as name/vN, by commas")
        return tuple((match[1], int(match[2])) for match in matches if match)

    def hosts(self, name: str) -> tuple[str, ...]:
        hosts = tuple(host.lower() for host in self.listed(name))
        if not all(_HOST.fullmatch(host) for host in hosts):
            self.problems.append(f"{name} lists host names, or *.suffix, by commas")
        return hosts

    def arguments(self, name: str) -> tuple[str, ...]:
        try:
            return tuple(shlex.split(self.text(name)))
        except ValueError:
            self.problems.append(f"{name} has an open quotation")
            return ()

    def comfyui(self) -> Path:
        told = self.path("COMFYUI_PATH")
        places = [told] if told else [_REPOSITORY / "build/comfyui", Path.home() / "comfy/ComfyUI"]
        for place in places:
            if (place / "main.py").is_file():
                return place
        self.problems.append(f"COMFYUI_PATH: no ComfyUI (main.py) in {places[0]}")
        return places[0]

    def models(self) -> Path | None:
        if self.path("COMFYUI_MODELS_DIR"):
            return self.folder("COMFYUI_MODELS_DIR", _REPOSITORY)
        default = _REPOSITORY / "build/models"
        return default if default.is_dir() else None

    def callback(self) -> tuple[str | None, str | None]:
        url, secret = self.text("CALLBACK_URL"), self.text("CALLBACK_SECRET")
        if bool(url) != bool(secret):
            self.problems.append("CALLBACK_URL and CALLBACK_SECRET are given both or neither")
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            self.problems.append("CALLBACK_URL is an http or https URL")
        if secret:
            try:
                check_secret(secret)
            except ValueError as error:
                self.problems.append(f"CALLBACK_SECRET: {error}")
        return url or None, secret or None
