"""The worker's settings, from a mapping such as ``os.environ``. Each variable is declared, with its
default and its meaning, in handler/variables.py.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from contract.result import AcknowledgedLicence
from contract.signing import check_secret
from handler.models.licence_gate import Terms
from handler.variables import VARIABLES
from handler.workflows.model_list import local_list_of

_REPOSITORY = Path(__file__).resolve().parent.parent
HASHES_NAME = ".model_hashes.json"
_WORKFLOW = re.compile(r"([a-z][a-z0-9_]{0,63})/v([1-9][0-9]{0,5})")
_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+")
_DEFAULTS = {each.name: each.default or "" for each in VARIABLES}
_LOG_LEVELS = ("debug", "info", "warning", "error")
_LICENCE = re.compile(r"([A-Za-z0-9][A-Za-z0-9.+-]{0,99})=([!-+.-~ -]{1,100})")
_PRIVATE_PREFIXES = (
    *("S3_", "AWS_", "CALLBACK_", "RUNPOD_", "OBJECT_STORE_"),
    *("HF_", "HUGGING_FACE_"),  # for fetching models: ComfyUI needs none of it
)


class SettingsInvalid(Exception):
    """Settings are missing or wrong; the text names all of them, and never a secret's value.

    Each of ``problems`` begins with the name of a variable.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


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
    model_list_local: Path | None
    terms: Terms
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
    model_list = reader.path("MODEL_LIST") or _REPOSITORY / "models.txt"
    settings = Settings(
        object_store_url=reader.required("OBJECT_STORE_URL"),
        store_environment={n: v for n, v in environ.items() if n.startswith("S3_")},
        comfy_environment={n: v for n, v in environ.items() if not n.startswith(_PRIVATE_PREFIXES)},
        comfyui_path=reader.comfyui(),
        comfyui_base_dir=reader.path("COMFYUI_BASE_DIR"),
        comfyui_models_dir=models_dir,
        comfyui_cpu=reader.choice("COMFYUI_DEVICE", ("auto", "cpu")) == "cpu",
        comfyui_boot_timeout_s=reader.seconds("COMFYUI_BOOT_TIMEOUT_S"),
        comfyui_extra_args=reader.arguments("COMFYUI_EXTRA_ARGS"),
        node_pack_dir=reader.folder("NODE_PACK_DIR", _REPOSITORY / "comfy_nodes"),
        workflows_dir=reader.folder("WORKFLOWS_DIR", _REPOSITORY / "workflows"),
        callback_url=callback_url,
        callback_secret=callback_secret,
        page_quiet_timeout_s=reader.seconds("PAGE_QUIET_TIMEOUT_S"),
        required_workflows=reader.workflows("REQUIRED_WORKFLOWS"),
        model_list=model_list,
        model_list_local=local_list_of(model_list, reader.path("MODEL_LIST_LOCAL")),
        terms=reader.terms(),
        check_hashes=reader.choice("MODELS_CHECK", ("sha256", "present")) == "sha256",
        model_hashes=reader.path("MODEL_HASHES") or (models_dir or _REPOSITORY) / HASHES_NAME,
        warm_up=reader.flag("WARM_UP"),
        warm_up_size=reader.pixels("WARM_UP_SIZE"),
        raw_workflows=reader.flag("RAW_WORKFLOWS"),
        raw_to_store=reader.choice("RAW_OUTPUT", ("base64", "store")) == "store",
        input_cache_dir=reader.path("INPUT_CACHE_DIR"),
        input_cache_bytes=reader.mebibytes("INPUT_CACHE_MB"),
        input_url_hosts=reader.hosts("INPUT_URL_HOSTS"),
        log_level=reader.choice("LOG_LEVEL", _LOG_LEVELS).upper(),
        worker_id=reader.text("RUNPOD_POD_ID")[:200],
    )
    if reader.problems:
        raise SettingsInvalid(reader.problems)
    return settings


def read_terms(environ: Mapping[str, str]) -> Terms:
    """Return under which terms models are used, of all settings; an empty value counts as absent.

    Raises:
        SettingsInvalid: names every problem at once.
    """
    reader = _Reader({name: value for name, value in environ.items() if value.strip()})
    terms = reader.terms()
    if reader.problems:
        raise SettingsInvalid(reader.problems)
    return terms


class _Reader:
    """Reads one setting after the other and collects what is wrong with them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        return self._values.get(name, _DEFAULTS[name]).strip()

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

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name).lower()
        if value not in choices:
            self.problems.append(f"{name} is one of {', '.join(choices)}")
        return value

    def seconds(self, name: str) -> float:
        try:
            value = float(self.text(name))
        except ValueError:
            value = 0.0
        if not 0 < value <= 86_400:
            self.problems.append(f"{name} is a number of seconds, at most a day")
        return value

    def flag(self, name: str) -> bool:
        return self.choice(name, ("true", "false")) == "true"

    def pixels(self, name: str) -> int:
        text = self.text(name)
        value = int(text) if text.isascii() and text.isdigit() else 0
        if not 64 <= value <= 4096 or value % 8:
            self.problems.append(f"{name} is a multiple of 8, from 64 to 4096")
        return value

    def mebibytes(self, name: str) -> int:
        text = self.text(name)
        if not (text.isascii() and text.isdigit()) or len(text) > 7:
            self.problems.append(f"{name} is a whole number of MiB, 0 or more")
            return 0
        return int(text) * 1024 * 1024

    def listed(self, name: str) -> tuple[str, ...]:
        parts = (part.strip() for part in self.text(name).split(","))
        return tuple(dict.fromkeys(part for part in parts if part))

    def workflows(self, name: str) -> tuple[tuple[str, int], ...]:
        matches = [_WORKFLOW.fullmatch(entry) for entry in self.listed(name)]
        if None in matches:
            self.problems.append(f"{name} lists workflows as name/vN, by commas")
        return tuple((match[1], int(match[2])) for match in matches if match)

    def terms(self) -> Terms:
        evaluation = self.choice("MODELS_USE", ("commercial", "evaluation")) == "evaluation"
        acknowledged = self.licences("ACKNOWLEDGED_LICENCES")
        return Terms("evaluation" if evaluation else "commercial", acknowledged)

    def licences(self, name: str) -> tuple[AcknowledgedLicence, ...]:
        matches = [_LICENCE.fullmatch(entry) for entry in self.listed(name)]
        if None in matches:
            self.problems.append(
                f"{name} lists licences as id=reference, by commas; the reference is your own: "
                "a contract's or an order's number, without commas"
            )
        return tuple(
            AcknowledgedLicence(licence=match[1], reference=match[2].strip())
            for match in matches
            if match
        )

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
