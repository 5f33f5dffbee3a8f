"""What is wrong with an input, without a word of the input: it may hold a child's name."""

import re
from typing import Final

from pydantic import ValidationError

_SHOWN: Final = 5


def problems_of(error: ValidationError, *, skip: int = 0) -> str:
    """Name the first places that break the contract and why; a place's first ``skip`` parts, such
    as the tag of a union, are left out."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [f"{_path(item['loc'][skip:])}: {item['msg']}" for item in problems[:_SHOWN]]
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more")
    return "; ".join(shown)


def _path(location: tuple[int | str, ...]) -> str:
    """A path of names; what doesn't look like a field's name is somebody's data."""
    parts = (str(part) for part in location)
    return ".".join(p if re.fullmatch(r"[a-z0-9_]{1,40}", p) else "?" for p in parts) or "input"
