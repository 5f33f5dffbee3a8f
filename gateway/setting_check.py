"""What is missing, wrong or risky in a gateway's environment, found without starting anything.

No finding repeats a value that grants access.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from contract.findings import Finding, Level
from gateway.pdf import FontMissing, load_fonts
from gateway.print_profiles import load_profiles
from gateway.records import open_engine
from gateway.services import open_catalogue
from gateway.setting_fields import REPOSITORY
from gateway.setting_reference import secret_names, variables
from gateway.setting_risks import risks
from gateway.settings import Settings, SettingsError
from storage.open import open_store
from storage.variables import VARIABLES as STORE_VARIABLES

_FOLDERS = ("BOOKS_DIR",)
_FILES = ("APPEARANCES_PATH", "FACE_MODEL_PATH")
_ALIKE = 0.88
_QUOTES = ("'", '"')
_PLACEHOLDERS = ("…", "...")


def check(environ: Mapping[str, str]) -> list[Finding]:
    """Return every fault and every risk of the environment, each variable's first fault only."""
    told = {each.name: environ.get(each.name) or each.default or "" for each in variables()}
    faults: dict[str, str] = {}
    for name, text in (*_misread(environ), *_refused(environ), *_unusable(told, environ)):
        faults.setdefault(name, text)
    if not faults:
        faults.update(_books(environ))
    found = [Finding(Level.WRONG, name, text) for name, text in faults.items()]
    found += [Finding(Level.RISKY, name, text) for name, text in risks(told)]
    found += [Finding(Level.RISKY, name, text) for name, text in _shared_secrets(told)]
    return found + [Finding(Level.RISKY, name, text) for name, text in _misspelled(environ)]


def _refused(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    try:
        Settings.from_environ(environ)
    except SettingsError as error:
        for line in str(error).splitlines():
            name, _, text = line.partition(": ")
            yield name, "is missing" if text == "Field required" else text


def _unusable(told: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in _FOLDERS:
        if not (REPOSITORY / told[name]).is_dir():
            yield name, "there is no such folder"
    for name in _FILES:
        if not (REPOSITORY / told[name]).is_file():
            yield name, "there is no such file"
    if told["OBJECT_STORE_URL"]:
        try:
            open_store(told["OBJECT_STORE_URL"], environ)
        except ValueError as error:
            yield "OBJECT_STORE_URL", str(error)
    if told["DATABASE_URL"]:
        try:
            open_engine(told["DATABASE_URL"]).dispose()
        except Exception as error:  # whatever a driver finds wrong: its text may repeat a password
            yield "DATABASE_URL", f"can't be used ({type(error).__name__})"
    if told["PRINT_PROFILE"] not in load_profiles():
        yield "PRINT_PROFILE", f"must be one of {', '.join(sorted(load_profiles()))}"
    try:
        load_fonts()
    except FontMissing as error:
        yield "fonts", str(error)


def _books(environ: Mapping[str, str]) -> dict[str, str]:
    try:
        open_catalogue(Settings.from_environ(environ))
    except SettingsError as error:
        name, _, text = str(error).partition(": ")
        return {name: text}
    return {}


def _shared_secrets(told: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    seen: dict[str, str] = {}
    for name in secret_names():
        first = seen.setdefault(told[name], name)
        if told[name] and first != name:
            yield name, f"is the same as {first}: who learns one has both"


def _misread(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Values with what a shell would have taken away: a container engine, which reads a file of
    variables line by line, doesn't."""
    for name in (each.name for each in (*variables(), *STORE_VARIABLES)):
        value = environ.get(name) or ""
        if re.search(r"\s#\s", value):
            yield name, "has a comment behind it: in a file of variables that is part of the value"
        elif value != value.strip():
            yield name, "begins or ends with a space"
        elif value[:1] in _QUOTES and value[-1:] == value[:1]:
            yield name, "stands in quotes: in a file of variables these are part of the value"
        elif value in _PLACEHOLDERS:
            yield name, "was not filled in"


def _misspelled(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    known = [each.name for each in (*variables(), *STORE_VARIABLES)]
    for name in sorted(set(environ) - set(known)):
        alike = get_close_matches(name, known, n=1, cutoff=_ALIKE)
        if alike:
            yield name, f"isn't a setting; {alike[0]} is"
