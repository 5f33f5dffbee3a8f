"""Keeps the generated parts of pages as their commands print them.

``python -m sandbox.doc_blocks PAGE…`` runs the command that each block names, and puts what it
prints into the block; with ``--check`` nothing is written, and stale pages are named. A block is::

    <!-- python -m gateway config reference -->
    … whatever the command printed …
    <!-- end -->
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

_BLOCK = re.compile(r"<!-- python -m ([a-z_. ]+) -->\n.*?<!-- end -->", re.DOTALL)


class CommandFailed(Exception):
    """A block's command didn't end well; the message names it."""


def filled(page: str) -> str:
    """Return the text of a page with what its blocks' commands print now.

    Raises:
        CommandFailed: a command ended with another status than 0.
    """
    return _BLOCK.sub(_filled_block, page)


def _filled_block(block: re.Match[str]) -> str:
    command = block[1]
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandFailed(f"python -m {command}: {done.stderr.strip()}")
    return f"<!-- python -m {command} -->\n{done.stdout.strip()}\n<!-- end -->"


def main() -> int:
    """Fill or check the pages; return the exit status: 1 if one was stale, or can't be filled."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.doc_blocks",
        description="Fills the generated parts of pages by their commands.",
    )
    parser.add_argument("--check", action="store_true", help="only say which pages are stale")
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE")
    given = parser.parse_args()
    status = 0
    for page in given.pages:
        text = page.read_text(encoding="utf-8")
        try:
            fresh = filled(text)
        except CommandFailed as error:
            sys.stderr.write(f"{page}: {error}\n")
            return 1
        if fresh != text and given.check:
            sys.stderr.write(f"{page} is stale: make docs-reference\n")
            status = 1
        elif fresh != text:
            page.write_text(fresh, encoding="utf-8")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
