"""Names of files in prompts, kept inside the folder they belong to."""

from pathlib import Path


def path_in(folder: str, name: str) -> Path | None:
    """The file of a name below `folder`, resolved; None if the name leads out of it.

    A prompt must not reach other files. Whether there is such a file is not looked at.
    """
    root = Path(folder).resolve()
    path = (root / name).resolve()
    return path if path.is_relative_to(root) else None
