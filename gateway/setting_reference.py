"""The gateway's settings as rows of docs/configuration.md."""

from enum import Enum
from pathlib import Path

from pydantic import HttpUrl
from pydantic.fields import FieldInfo

from contract.variables import REQUIRED, Variable
from gateway.setting_fields import REPOSITORY, SettingFields
from gateway.setting_kinds import Shown


def variables() -> tuple[Variable, ...]:
    """Return every variable of the gateway, in the order in which they are declared."""
    return tuple(_variable(name, field) for name, field in SettingFields.model_fields.items())


def secret_names() -> tuple[str, ...]:
    """Return the variables whose values grant access."""
    return tuple(
        name.upper()
        for name, field in SettingFields.model_fields.items()
        if "SecretStr" in str(field.annotation)
    )


def _variable(name: str, field: FieldInfo) -> Variable:
    assert field.description, f"{name} has no description"
    shown = next((each.text for each in field.metadata if isinstance(each, Shown)), "")
    if field.is_required():
        return Variable(name.upper(), field.description, shown=REQUIRED)
    return Variable(name.upper(), field.description, _text(field.default), shown)


def _text(value: object) -> str | None:
    """A default as an operator would write it; None for nothing."""
    if value is None or value == ():
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path):
        return str(value.relative_to(REPOSITORY))
    if isinstance(value, HttpUrl):
        return str(value).rstrip("/")
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)
