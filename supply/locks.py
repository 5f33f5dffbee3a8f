"""The hashed locks in ``requirements/``: what is installed into which image."""

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class LockInvalid(Exception):
    """A lock has a line that isn't a pinned, hashed package. The text names file and line."""


@dataclass(frozen=True)
class Pin:
    """A package at one version; the installer takes only files with one of these SHA-256."""

    name: str
    version: str
    sha256: tuple[str, ...]

    @property
    def purl(self) -> str:
        """The package's URL, as bills of materials name it."""
        return f"pkg:pypi/{self.name}@{self.version}"


def read_lock(path: Path) -> tuple[Pin, ...]:
    """Return a lock's pins in its order, names in canonical form.

    Raises:
        LockInvalid: a line isn't a pin, or a pin has no hash.
    """
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    pins = []
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.split("#")[0].strip()
        if not entry:
            continue
        pin, hashes = _PIN.match(entry), tuple(_HASH.findall(entry))
        if pin is None or not hashes:
            raise LockInvalid(f"{path.name}, entry {number}: not a pinned, hashed package")
        pins.append(Pin(canonicalize_name(pin[1]), pin[2], hashes))
    return tuple(pins)


def read_constraints(path: Path) -> dict[str, str]:
    """Return the versions in a constraints file by canonical name."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pins = (_PIN.match(line) for line in lines)
    return {canonicalize_name(pin[1]): pin[2] for pin in pins if pin}
