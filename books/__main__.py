"""`python -m books draw`: paints the template art of the sample books."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from books.library import OWN_BOOKS, BookError, load_books


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status (0 done, 2 unusable book or folder)."""
    parser = argparse.ArgumentParser(prog="python -m books", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    draw = commands.add_parser("draw", help="write background, character and mask of each page")
    draw.add_argument("--out", type=Path, default=Path("build/books"), help="folder to write to")
    draw.add_argument("--page", type=int, action="append", help="only this page; may be repeated")
    draw.add_argument("--book", help="id of one book; all of them by default")
    chosen = parser.parse_args(arguments)
    # The brushes need skia, which an image that only reads books doesn't have.
    from books.studio import draw_book

    try:
        for book_id in [chosen.book] if chosen.book else list(load_books(OWN_BOOKS)):
            start = time.perf_counter()
            folders = draw_book(book_id, chosen.out, chosen.page)
            seconds = time.perf_counter() - start
            print(
                f"{book_id}: {len(folders)} pages drawn in {seconds:.1f} s, {chosen.out / book_id}"
            )
    except (BookError, KeyError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
