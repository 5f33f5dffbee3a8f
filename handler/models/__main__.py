"""``python -m handler.models``: fetches model files, verifies them, and tells sizes and licences.

Exits with status 0 if all files are there and right; 1 if one failed, is missing or is wrong; 2 if
a list, a workflow or the command line is wrong, or the disk too small; 3 if ``verify`` misses
nothing but files of the customer's own, which ``fetch`` can't fetch and only names; 130 if it was
interrupted. The token for gated files is ``HF_TOKEN`` of the environment.
"""

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from handler.errors import UnknownWorkflow, WorkflowInvalid
from handler.graph import Workflow, load_workflows
from handler.models import HashCache, ModelFiles
from handler.models.fetch import HUB, Fetching, lacking_bytes, targets
from handler.models.layout import BAKED, LAYOUTS, write_extra_paths
from handler.models.progress import progress_on, size_text
from handler.models.stock import Look, chosen, look_at, needed
from handler.models.tables import licence_lines, size_lines
from handler.settings import HASHES_NAME, SettingsInvalid, read_terms
from handler.workflows.model_list import ListedModel, Models, local_list_of, read_model_list

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_WORKFLOW: Final = re.compile(r"([a-z][a-z0-9_]{0,63})/v([1-9][0-9]{0,5})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    told = _parser(os.environ).parse_args(arguments)
    told.models = told.models or LAYOUTS.get(told.layout) or told.default_models
    commands = {"fetch": _fetch, "verify": _verify, "size": _size, "licences": _licences}
    try:
        return commands[told.command](told, os.environ)
    except (WorkflowInvalid, UnknownWorkflow, SettingsInvalid, OSError) as error:
        sys.stderr.write(f"handler.models: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("handler.models: interrupted; run it again to go on\n")
        return 130


def _fetch(told: argparse.Namespace, environ: Mapping[str, str]) -> int:
    hub = environ.get("HF_ENDPOINT", "").rstrip("/") or HUB
    if urlsplit(hub).scheme not in ("http", "https") or not urlsplit(hub).hostname:
        raise SettingsInvalid(["HF_ENDPOINT is an http or https URL"])
    hashes, files = _stock(told)
    models = _models(told)
    looks = [look_at(model, files) for model in models]
    wanted = targets([look.model for look in looks if not look.there], told.models, hub)
    if lacking := lacking_bytes(wanted, told.models):
        raise OSError(f"{told.models}: {size_text(lacking)} too little space on this disk")
    told.models.mkdir(parents=True, exist_ok=True)
    token = environ.get("HF_TOKEN", "").strip()
    with progress_on(sys.stderr) as show:
        fetching = Fetching({hub: token} if token else {}, hashes, show, lambda: datetime.now(UTC))
        failed = fetching.run(wanted, told.jobs)
    fetched = {target.name for target in wanted} - set(failed)
    folders = {folder for folder, _ in _listed(told)}
    _say(f"wrote {write_extra_paths(told.models, folders)}")
    rest = [look for look in looks if not look.there and look.model.name not in fetched]
    for look in rest:
        _say(_line(look, failed.get(look.model.name)))
    there = sum(look.there for look in looks)
    _say(f"{there} of {len(looks)} files were there, {len(fetched)} fetched, {len(rest)} missing")
    return 1 if any(not look.yours for look in rest) else 0


def _verify(told: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    _, files = _stock(told)
    looks = []
    for model in _models(told):
        looks.append(look_at(model, files))
        _say(_line(looks[-1]))
    rest = [look for look in looks if not look.there]
    if any(not look.yours for look in rest):
        return 1
    return 3 if rest else 0


def _size(told: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    listed, workflows = _listed(told), _workflows(told)
    for line in size_lines(workflows, listed, _stock(told)[1]):
        _say(line)
    return 0


def _licences(told: argparse.Namespace, environ: Mapping[str, str]) -> int:
    for line in licence_lines(_models(told), _workflows(told), read_terms(environ)):
        _say(line)
    return 0


def _line(look: Look, error: str | None = None) -> str:
    if look.yours:
        return f"yours      {look.model.name}: put it there, or write its line into the local list"
    detail = error or look.detail
    return f"{look.state.value:<9}  {look.model.name}" + (f": {detail}" if detail else "")


def _models(told: argparse.Namespace) -> list[ListedModel]:
    """The files of the workflows that were told; without any, the whole list."""
    listed = _listed(told)
    return needed(_workflows(told), listed) if told.workflow else list(listed.values())


def _listed(told: argparse.Namespace) -> Models:
    return read_model_list(told.list, local_list_of(told.list, told.local))


def _workflows(told: argparse.Namespace) -> list[Workflow]:
    return chosen(load_workflows(told.workflows), told.workflow)


def _stock(told: argparse.Namespace) -> tuple[HashCache, ModelFiles]:
    hashes = HashCache(told.hashes or told.models / HASHES_NAME)
    return hashes, ModelFiles(_listed(told), [told.models], hashes)


def _parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    def place(name: str) -> Path | None:
        return _resolved(environ[name]) if environ.get(name, "").strip() else None

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--models", "--to", type=_resolved, metavar="DIR", help="the models folder")
    common.add_argument(
        "--layout", choices=LAYOUTS, help="or: /runpod-volume/models, or build/models of an image"
    )
    common.add_argument(
        "--workflow", type=_workflow, action="append", default=[], metavar="NAME/vN",
        help="only what this workflow needs; may be given several times",
    )  # fmt: skip
    default = place("MODEL_LIST") or _REPOSITORY / "models.txt"
    common.add_argument("--list", type=_resolved, default=default, metavar="FILE")
    common.add_argument("--local", type=_resolved, default=place("MODEL_LIST_LOCAL"))
    default = place("WORKFLOWS_DIR") or _REPOSITORY / "workflows"
    common.add_argument("--workflows", type=_resolved, default=default, metavar="DIR")
    models = place("COMFYUI_MODELS_DIR") or BAKED
    common.set_defaults(hashes=place("MODEL_HASHES"), default_models=models)

    parser = argparse.ArgumentParser(prog="python -m handler.models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", parents=[common], help="fetch what is missing or wrong")
    fetch.add_argument("--jobs", type=int, choices=range(1, 17), default=4, metavar="N")
    commands.add_parser("verify", parents=[common], help="compare each file with its SHA-256")
    commands.add_parser("size", parents=[common], help="bytes: needed, there, missing")
    commands.add_parser("licences", parents=[common], help="what may be used commercially")
    return parser


def _workflow(text: str) -> tuple[str, int]:
    match = _WORKFLOW.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError("a workflow is named as name/vN")
    return match[1], int(match[2])


def _resolved(text: str) -> Path:
    return Path(text).expanduser().resolve()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
