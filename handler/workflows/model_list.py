"""The model list, ``models.txt``: every weight file that a workflow may load.

A line is ``folder/file  bytes  sha256  licence  open|gated  source``, two spaces between the parts.
Empty lines and those that begin with ``#`` don't count. A second list, ``models.local.txt``, holds
the lines of a customer's own files: each of its lines replaces the line of that file, or adds one.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from handler.errors import WorkflowInvalid

LOCAL_NAME: Final = "models.local.txt"
CONFIGURATION: Final = "configuration"
_FORM: Final = "folder/file  bytes  sha256  licence  open|gated  source"
_PLACE: Final = re.compile(r"([\w-][\w.-]*)/([\w-][\w.+-]*(?:/[\w-][\w.+-]*)*)", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LICENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class ListedModel:
    """A weight file: its models folder and name there.

    ``sha256`` is None where any file will do, ``size_bytes`` where the size isn't known.
    ``source`` is a URL or ``configuration``. It may grant access, so it is never shown whole.
    """

    folder: str
    file: str
    sha256: str | None
    licence: str
    source: str
    size_bytes: int | None = None
    gated: bool = False

    @property
    def name(self) -> str:
        """``folder/file``, as the list and every message have it."""
        return f"{self.folder}/{self.file}"

    @property
    def url(self) -> str | None:
        """Where the file can be fetched; None for a customer's own file."""
        return None if self.source == CONFIGURATION else self.source


Models = dict[tuple[str, str], ListedModel]


def read_model_list(path: Path, local: Path | None = None) -> Models:
    """Return the listed models by folder and file; those of ``local`` take precedence.

    Raises:
        WorkflowInvalid: a file is missing, or lines have another form or are repetitions. Names
            every such line.
    """
    problems: list[str] = []
    models = _read(path, problems)
    if local is not None:
        models |= _read(local, problems)
    if problems:
        raise WorkflowInvalid("; ".join(problems))
    return models


def local_list_of(path: Path, told: Path | None) -> Path | None:
    """The second list that goes with ``path``: the one that was told, or ``models.local.txt``
    beside it, if there is one."""
    beside = path.with_name(LOCAL_NAME)
    return told or (beside if beside.is_file() else None)


def _read(path: Path, problems: list[str]) -> Models:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise WorkflowInvalid(f"{path}: not readable: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WorkflowInvalid(f"{path}: not a text in UTF-8") from error
    models: Models = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            model = _parsed(line.strip())
            if (model.folder, model.file) in models:
                raise ValueError(f"{model.name} is listed twice")
        except ValueError as error:
            problems.append(f"{path}: line {number}: {error}")
        else:
            models[model.folder, model.file] = model
    return models


def _parsed(line: str) -> ListedModel:
    """The model of a line.

    Raises:
        ValueError: what is wrong with it; without the source, which may grant access.
    """
    parts = [part.strip() for part in re.split(r" {2,}|\t+", line)]
    if len(parts) != 6:
        raise ValueError(f"{len(parts)} parts instead of 6; expected '{_FORM}'")
    place, size, sha256, licence, access, source = parts
    named = _PLACE.fullmatch(place)
    if not named:
        raise ValueError("the first part is no 'folder/file' below the models folder")
    if size != "-" and not (size.isascii() and size.isdigit() and int(size) > 0):
        raise ValueError("the size is a whole number of bytes, or -")
    if sha256 != "-" and not _SHA256.fullmatch(sha256):
        raise ValueError("the sha256 is 64 digits of 0-9 and a-f, or -")
    if not _LICENCE.fullmatch(licence):
        raise ValueError("the licence is one id without spaces, such as MIT")
    if access not in ("open", "gated"):
        raise ValueError("the fifth part is open or gated")
    _check_source(source, sha256)
    return ListedModel(
        named[1],
        named[2],
        None if sha256 == "-" else sha256,
        licence,
        source,
        None if size == "-" else int(size),
        access == "gated",
    )


def _check_source(source: str, sha256: str) -> None:
    if source == CONFIGURATION:
        return
    try:
        url = urlsplit(source)
        plain = url.scheme == "http" and url.hostname in _LOOPBACK
        right = bool(url.hostname) and (url.scheme == "https" or plain) and " " not in source
        _ = url.port
    except ValueError:
        right = False
    if not right or url.username is not None:
        raise ValueError(f"the source is an https URL without a password, or '{CONFIGURATION}'")
    if sha256 == "-":
        raise ValueError("what is fetched from a URL needs its sha256")
