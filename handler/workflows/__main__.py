"""``python -m handler.workflows``: edits, checks, releases and compares workflows.

Exits with status 0 if all is well, 1 if a check fails or a release is refused, and 2 if it can't
be tried.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handler.adapters.clock import SystemClock
from handler.comfy.process import ComfyOptions
from handler.errors import ComfyBootFailed, ComfyError, WorkflowInvalid
from handler.graph import Workflow, load_workflow
from handler.workflows import live
from handler.workflows.check import Problem, check_folder, graph_files, schema_problems
from handler.workflows.diff import differences
from handler.workflows.editor import Desk, editing
from handler.workflows.model_list import read_model_list
from handler.workflows.release import Edited, ReleaseRefused, release
from handler.workflows.schema import (
    STORED_NAME,
    Schema,
    load,
    parse,
    stored_form,
    with_file_folders,
)
from handler.workflows.ui_graph import classes_in

_REPOSITORY = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    told = commands().parse_args(arguments)
    known = {
        "edit": _edit, "check": _check, "schema": _schema, "release": _release, "diff": _diff,
    }  # fmt: skip
    try:
        return known[told.command](told)
    except ReleaseRefused as refusal:
        for reason in refusal.reasons:
            _say(reason)
        _say("nothing was released")
        return 1
    except ComfyBootFailed as error:
        return _refuse(f"{error}\n{error.log_tail}")
    except json.JSONDecodeError as error:
        return _refuse(f"not readable as JSON: {error}")
    except (ComfyError, WorkflowInvalid, OSError) as error:
        return _refuse(str(error))


def _edit(told: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = ComfyOptions(told.comfyui_path, live.environment_of(os.environ))
    desk = Desk(told.keep, told.node_pack, told.weights)
    try:
        with editing(options, desk, SystemClock()) as editor:
            _say(f"ComfyUI's page          {editor.url}/")
            _say(f"released workflows      {told.workflows}/")
            _say(f"pictures, saved graphs  {told.keep}/")
            _say("Ctrl-C ends it.")
            sys.stdout.flush()
            editor.wait()
    except KeyboardInterrupt:
        pass  # the way in which it is ended
    return 0


def _check(told: argparse.Namespace) -> int:
    models = read_model_list(told.models)
    stored = load(told.workflows / STORED_NAME)
    problems = set(check_folder(told.workflows, stored, models))
    if told.boot:
        present, differing = _booted_schema(told, stored)
        problems.update(differing)
        problems.update(check_folder(told.workflows, present, models))
    if told.comfyui:
        present = with_file_folders(parse(live.object_info(told.comfyui)), stored)
        problems.update(check_folder(told.workflows, present, models))
    for problem in sorted(problems):
        _say(str(problem))
    count = len(graph_files(told.workflows))
    _say(f"{_count(count, 'workflow')} checked, {_count(len(problems), 'problem')}")
    return 1 if problems else 0


def _schema(told: argparse.Namespace) -> int:
    used = {
        node["class_type"]
        for path in graph_files(told.workflows)
        for node in load_workflow(path).graph.values()
    }
    for path in told.new:
        used |= classes_in(json.loads(path.read_text(encoding="utf-8")))
    stored = stored_form(_booted_info(told), used)
    target = told.workflows / STORED_NAME
    target.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _say(f"{target}: {_count(len(stored), 'node class', 'node classes')}")
    return 0


def _release(told: argparse.Namespace) -> int:
    stored = load(told.workflows / STORED_NAME)
    edited = Edited(told.edited, told.api, told.slots)
    made = release(told.workflows, told.name, edited, stored, read_model_list(told.models))
    version = made.spec.version
    if version > 1:
        before = load_workflow(made.source.with_name(f"v{version - 1}.json"))
        for sentence in differences(before, made):
            _say(sentence)
    _say(f"released {told.name}/v{version}")
    return 0


def _diff(told: argparse.Namespace) -> int:
    sentences = differences(*(_named(told.workflows, name) for name in (told.old, told.new)))
    for sentence in sentences or ["the graphs and their slots are the same"]:
        _say(sentence)
    return 0


def _named(folder: Path, name: str) -> Workflow:
    path = Path(name) if name.endswith(".json") else folder / f"{name}.json"
    return load_workflow(path)


def _booted_schema(told: argparse.Namespace, stored: Schema) -> tuple[Schema, list[Problem]]:
    info = _booted_info(told)
    present = parse(info)
    comparable = parse(stored_form(info, set(stored) & set(info)))
    return present, list(schema_problems(stored, comparable))


def _booted_info(told: argparse.Namespace) -> dict[str, Any]:
    options = ComfyOptions(told.comfyui_path, live.environment_of(os.environ))
    with live.booted(options, told.node_pack, SystemClock()) as comfy:
        return live.probed_object_info(comfy)


def commands() -> argparse.ArgumentParser:
    """What the command line may say; ``command`` is the name of what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m handler.workflows", description=__doc__)
    parser.add_argument("--workflows", type=_resolved, default=_REPOSITORY / "workflows")
    parser.add_argument("--models", type=_resolved, default=_REPOSITORY / "models.txt")
    parser.add_argument("--node-pack", type=_resolved, default=_REPOSITORY / "comfy_nodes")
    parser.add_argument("--comfyui-path", type=_resolved, default=_REPOSITORY / "build/comfyui")
    named = parser.add_subparsers(dest="command", required=True)

    edit = named.add_parser("edit", help="start ComfyUI with its page, on the processor")
    edit.add_argument(
        "--keep", type=_resolved, default=_REPOSITORY / "out/editor", metavar="DIR",
        help="the folder that keeps your pictures and what you save in the page",
    )  # fmt: skip
    edit.add_argument(
        "--weights", type=_resolved, default=_REPOSITORY / "build/models", metavar="DIR",
        help="the folder of model files",
    )  # fmt: skip

    check = named.add_parser("check", help="say everything that is wrong with the workflows")
    check.add_argument("--comfyui", metavar="URL", help="also check against this ComfyUI")
    check.add_argument("--boot", action="store_true", help="also boot a ComfyUI to check against")

    schema = named.add_parser("schema", help="renew the stored node schema")
    schema.add_argument("--boot", action="store_true", required=True, help="from a ComfyUI of ours")
    schema.add_argument(
        "--with", dest="new", type=_resolved, action="append", default=[],
        metavar="EDITED", help="a browser's file whose node classes are needed too",
    )  # fmt: skip

    make = named.add_parser("release", help="make the next version from an edited file")
    make.add_argument("name", help="the workflow's name")
    make.add_argument("--from", dest="edited", type=_resolved, required=True, metavar="EDITED")
    make.add_argument("--api", type=_resolved, help="its export in API format, to compare with")
    make.add_argument("--slots", type=_resolved, help="slots in place of the last version's")

    diff = named.add_parser("diff", help="say what changed between two versions")
    diff.add_argument("old", help="name/v1, or a graph's file")
    diff.add_argument("new")
    return parser


def _resolved(text: str) -> Path:
    return Path(text).expanduser().resolve()


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _refuse(reason: str) -> int:
    sys.stderr.write(f"handler.workflows: {reason.strip()}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
