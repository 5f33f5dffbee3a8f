"""Prints the variables of a part as a Markdown table: ``python -m sandbox.reference PART``."""

import argparse
import sys

from contract.variables import table
from sandbox.control_plane import settings as control_plane
from sandbox.stripe_stand_in import settings as stripe_stand_in
from storage import variables as object_store

PARTS = {
    "object_store": object_store.VARIABLES,
    "control_plane": control_plane.VARIABLES,
    "stripe_stand_in": stripe_stand_in.VARIABLES,
}


def main() -> int:
    """Print the table of the part that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.reference", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    sys.stdout.write(table(PARTS[parser.parse_args().part]) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
