"""The model list, ``models.txt``: every weight file that a workflow may load."""

import re
from dataclasses import dataclass
from pathlib import Path

from handler.errors import WorkflowInvalid

_LINE = re.compile(r"(?P<folder>[\w.-]+)/(?P<file>\S+)  (?P<sha256>[0-9a-f]{64}|-)  (?P<rest>.+)")


@dataclass(frozen=True)
class ListedModel:
    """A weight file: its models folder and name there; ``sha256`` is None where the file is
    configuration (a customer's own LoRA)."""

    folder: str
    file: str
    sha256: str | None
    licence: str
    source: str


def read_model_list(path: Path) -> dict[tuple[str, str], ListedModel]:
    """Return the listed models by folder and file.

    A line is ``folder/file  sha256  licence  source``, with two spaces between the parts; empty
    lines and those that begin with ``#`` don't count.

    Raises:
        WorkflowInvalid: the file is missing, or a line has another form or is a repetition.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise WorkflowInvalid(f"{path}: not readable: {error.strerror}") from error
    models: dict[tuple[str, str], ListedModel] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.rstrip())
        parts = match["rest"].split("  ") if match else []
        if match is None or len(parts) != 2:
            raise WorkflowInvalid(
                f"{path}: line {number}: expected 'folder/file  sha256  licence  source'"
            )
        key = (match["folder"], match["file"])
        if key in models:
            raise WorkflowInvalid(f"{path}: line {number}: {'/'.join(key)} is listed twice")
        sha256 = None if match["sha256"] == "-" else match["sha256"]
        models[key] = ListedModel(*key, sha256, parts[0].strip(), parts[1].strip())
    return models
