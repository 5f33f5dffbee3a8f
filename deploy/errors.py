"""What may go wrong.

DeployError
├── FileInvalid        endpoint.toml can't be read, or breaks its form
├── SettingsInvalid    the environment lacks something
├── Refused            it would do harm, or only a person can decide it
├── NotTaken           RunPod said yes, and still tells something else
└── ApiError           RunPod's API
    ├── KeyRefused     401, 403
    ├── Missing        404
    ├── Conflict       409
    ├── RequestInvalid 400, 422, and any other 4xx
    ├── TooMany        429, again and again
    └── Unavailable    5xx, no connection, no answer, no JSON
"""

from collections.abc import Sequence
from dataclasses import dataclass


class DeployError(Exception):
    """The command can't go on. Its text is for people and holds no secret."""


@dataclass
class Several(DeployError):
    """Several things are wrong at once, a line for each."""

    problems: Sequence[str]

    def __str__(self) -> str:
        return "\n".join(self.problems)


class FileInvalid(Several):
    """The endpoint's file can't be read, or breaks its form."""


class SettingsInvalid(Several):
    """The environment lacks something, or has something wrong; no value is repeated."""


class Refused(Several):
    """It would do harm, or only a person can decide it."""


class NotTaken(DeployError):
    """RunPod took a change, and still tells something else afterwards."""


class ApiError(DeployError):
    """RunPod's API refused, or wasn't there."""


class KeyRefused(ApiError):
    """The API key is unknown, or may not do this."""


class Missing(ApiError):
    """What was asked for isn't there."""


class Conflict(ApiError):
    """Something else is in the way at RunPod."""


class RequestInvalid(ApiError):
    """RunPod doesn't take the request as it is."""


class TooMany(ApiError):
    """RunPod takes no more calls for now."""


class Unavailable(ApiError):
    """RunPod can't be reached, or has trouble. Whether a change was made isn't known."""
