"""The RunPod endpoint: ``python -m deploy plan|apply|costs|reference``; ``--help`` tells more.

The status is 0 if nothing is to be done or all was done, 1 if RunPod refused or wasn't there, 2 if
the file, the environment or the wish is wrong, and 3 if there are changes that weren't made.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import httpx

from contract.variables import table as variables_table
from deploy.apply import carry_out
from deploy.costs import Assumptions, table
from deploy.endpoint_file import read_endpoint
from deploy.errors import DeployError, FileInvalid, Refused, SettingsInvalid
from deploy.plan import Kind, Step, make_plan
from deploy.runpod_api import RunpodApi
from deploy.safety import objections
from deploy.settings import VARIABLES, read_secret_env, read_settings

_DONE, _FAILED, _WRONG, _CHANGES = 0, 1, 2, 3
_FILE = Path(__file__).with_name("endpoint.toml")
_SIGNS = {
    Kind.CREATE_VOLUME: "+",
    Kind.CREATE_ENDPOINT: "+",
    Kind.GROW_VOLUME: "~",
    Kind.CHANGE_ENDPOINT: "~",
}


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the process's exit status."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "costs":
            return _costs(given)
        if given.command == "reference":
            print(variables_table(VARIABLES))
            return _DONE
        return _bring(given, os.environ)
    except (FileInvalid, SettingsInvalid, Refused) as error:
        print(error, file=sys.stderr)
        return _WRONG
    except DeployError as error:
        print(error, file=sys.stderr)
        return _FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    plan = commands.add_parser("plan", help="show what would be changed at RunPod")
    apply = commands.add_parser("apply", help="change it, with --yes")
    for command in (plan, apply):
        command.add_argument("--file", type=Path, default=_FILE, help="default: %(default)s")
        command.set_defaults(yes=False)
    apply.add_argument("--yes", action="store_true", help="without it nothing is changed")
    commands.add_parser("reference", help="the variables of these commands, as a table")
    costs = commands.add_parser("costs", help="what previews and books cost, as a table")
    for name, value in vars(Assumptions()).items():
        flag = f"--{name.replace('_', '-')}"
        costs.add_argument(flag, type=type(value), default=value, help="default: %(default)s")
    return parser


def _costs(given: argparse.Namespace) -> int:
    names = vars(Assumptions())
    try:
        assumptions = Assumptions(**{name: getattr(given, name) for name in names})
    except ValueError as error:
        raise SettingsInvalid([str(error)]) from None
    print(table(assumptions))
    return _DONE


def _bring(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """``plan`` and ``apply``."""
    endpoint = read_endpoint(given.file)
    settings = read_settings(environ)
    secret_env = read_secret_env(environ, tuple(endpoint.secret_env))
    if problems := objections(endpoint, secret_env, job_deadline_s=settings.job_deadline_s):
        raise Refused(problems)
    plan = partial(make_plan, endpoint, secret_env, endpoint_id=settings.endpoint_id)
    with httpx.Client(timeout=httpx.Timeout(60, connect=10)) as client:
        api = RunpodApi(
            client,
            url=settings.rest_url,
            api_key=settings.api_key,
            sleep=time.sleep,
            secrets=tuple(secret_env.values()),
        )
        if given.yes:
            print("done" if carry_out(api, plan, _tell_done) else "nothing to do")
            return _DONE
        steps = plan(api.account())
    for step in steps:
        _tell_planned(step)
    print("nothing was changed: `apply --yes` does it" if steps else "nothing to do")
    return _CHANGES if steps else _DONE


def _tell_planned(step: Step) -> None:
    print(f"{_SIGNS[step.kind]} {step.kind.value} {step.name} {step.target or ''}".rstrip())
    width = max(map(len, step.changes))
    for name, change in step.changes.items():
        print(f"    {name:<{width}}  {change}")


def _tell_done(step: Step, made: str) -> None:
    print(f"done: {step.kind.value} {step.name}, id {made}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
