"""Settings of the gateway: read once from the environment, checked, then frozen.

Every field is set by the environment variable of the same name in capitals.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
)

from contract.signing import check_secret
from gateway.looks import Look, Quality

_REPOSITORY = Path(__file__).resolve().parent.parent


class SettingsError(Exception):
    """The environment doesn't make a valid configuration. The message names every variable at
    fault and never repeats a value."""


def _callback_secrets(value: SecretStr) -> SecretStr:
    for secret in value.get_secret_value().split():
        check_secret(secret)
    return value


def _strong(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 32:
        raise ValueError("must have at least 32 characters")
    return value


StrongSecret = Annotated[SecretStr, AfterValidator(_strong)]


class Settings(BaseModel):
    """The gateway's configuration."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    public_url: HttpUrl = Field(description="Where callers reach the gateway; links start here.")
    database_url: SecretStr = Field(description="SQLAlchemy URL: sqlite:///… or postgresql://…")
    object_store_url: str = Field(description="file:///folder or s3://bucket.")
    books_dir: Path = Field(
        default=_REPOSITORY / "build" / "books", description="Books with their art."
    )
    appearances_path: Path = Field(
        default=_REPOSITORY / "books" / "appearances.json",
        description="The appearances that a parent may choose from.",
    )
    page_look: Look = Field(
        default=Look.FINAL,
        description="final, or draft where workers have no model weights.",
    )
    preview_quality: Quality = Field(
        default="standard", description="Quality of previews in the final look: standard or fast."
    )
    app_secret: StrongSecret = Field(description="Signs bearer tokens and file links.")
    callback_secret: Annotated[SecretStr, AfterValidator(_callback_secrets)] = Field(
        description="Standard Webhooks secret of the worker; several, by spaces, during rotation."
    )
    runpod_api_url: HttpUrl = Field(
        default=HttpUrl("https://api.runpod.ai/v2"), description="RunPod's public API."
    )
    runpod_endpoint_id: str = Field(min_length=1, description="The serverless endpoint's id.")
    runpod_api_key: SecretStr = Field(description="RunPod API key.")
    runpod_webhook_token: StrongSecret = Field(
        description="Unguessable part of the path that RunPod's own, unsigned webhook calls."
    )
    face_model_path: Path = Field(
        default=_REPOSITORY / "build" / "models" / "face_detection" / "centerface.onnx",
        description="The face detector's ONNX file.",
    )
    face_min_area_percent: float = Field(
        default=10.0, gt=0, le=100, description="Smallest face, in percent of the photo's area."
    )
    photo_max_bytes: int = Field(default=10_000_000, ge=1, description="Largest upload, in bytes.")
    photo_max_pixels: int = Field(default=50_000_000, ge=1, description="Largest photo, in pixels.")
    preview_life_days: float = Field(
        default=7.0, gt=0, le=7, description="How long an unpaid photo and preview live."
    )
    link_life_s: int = Field(default=900, ge=1, le=86_400, description="Life of a file link.")
    job_quiet_s: float = Field(
        default=15.0, gt=0, le=900, description="Silence after which RunPod is asked about a job."
    )
    job_deadline_s: float = Field(
        default=600.0, gt=0, le=3600, description="Longest time a job may run on a worker."
    )
    job_attempts: int = Field(default=3, ge=1, le=10, description="Automatic attempts at a job.")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from a mapping such as ``os.environ``.

        Raises:
            SettingsError: with one line for each variable that is missing or wrong.
        """
        values = {
            name: environ[name.upper()] for name in cls.model_fields if environ.get(name.upper())
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            lines = [
                f"{str(item['loc'][0]).upper()}: {item['msg']}"
                for item in error.errors(include_input=False, include_url=False)
            ]
            raise SettingsError("\n".join(lines)) from None

    @property
    def callback_secrets(self) -> list[str]:
        """The callback secrets, the current one first."""
        return self.callback_secret.get_secret_value().split()
