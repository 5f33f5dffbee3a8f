"""``python -m gateway config check|reference``: the configuration, without starting a gateway."""

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TextIO

from contract.findings import Finding, report, secrets_line
from contract.variables import table
from gateway.setting_check import check
from gateway.setting_reference import secret_names, variables

_S3_SECRETS = ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")

Connect = Callable[[Mapping[str, str], Collection[str]], list[Finding]]
"""Asks what is configured for an answer, but for the variables that are known to be wrong."""


def run(
    arguments: Sequence[str], environ: Mapping[str, str], output: TextIO, connect: Connect
) -> int:
    """Do what ``config …`` says; return the exit status: of a check 0, 1 (risky) or 2 (wrong)."""
    parser = argparse.ArgumentParser(prog="python -m gateway config")
    parser.add_argument(
        "what",
        choices=("check", "reference"),
        help="check: what is missing, wrong or risky; reference: every variable as a table",
    )
    parser.add_argument(
        "--connect",
        action="store_true",
        help="check: also ask database, KV, object store, RunPod and mail server for an answer",
    )
    given = parser.parse_args(arguments)
    if given.what == "reference":
        output.write(table(variables()) + "\n")
        return 0
    output.write(secrets_line((*secret_names(), *_S3_SECRETS), environ))
    findings = check(environ)
    if given.connect:
        findings += connect(environ, {finding.variable for finding in findings if finding.is_wrong})
    return report(findings, output)
