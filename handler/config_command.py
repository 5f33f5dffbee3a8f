"""``python -m handler config check|reference``: the worker's configuration, without starting it."""

import argparse
from collections.abc import Mapping, Sequence
from typing import TextIO

from contract.findings import report, secrets_line
from contract.variables import table
from handler.setting_check import SECRETS, check
from handler.variables import VARIABLES


def run(arguments: Sequence[str], environ: Mapping[str, str], output: TextIO) -> int:
    """Do what ``config …`` says; return the exit status: of a check 0, 1 (risky) or 2 (wrong)."""
    parser = argparse.ArgumentParser(prog="python -m handler config")
    parser.add_argument(
        "what",
        choices=("check", "reference"),
        help="check: what is missing, wrong or risky; reference: every variable as a table",
    )
    if parser.parse_args(arguments).what == "reference":
        output.write(table(VARIABLES) + "\n")
        return 0
    output.write(secrets_line(SECRETS, environ))
    return report(check(environ), output)
