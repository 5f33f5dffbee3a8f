"""Settings are read once, checked, and never repeat a secret."""

import json
import shutil
from pathlib import Path

import pytest

from gateway.services import build
from gateway.settings import Settings, SettingsError


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        build(Settings.from_environ(environ), environ)
    return str(caught.value)


def test_every_missing_variable_is_named_at_once() -> None:
    text = refusal({})
    for name in ("PUBLIC_URL", "DATABASE_URL", "APP_SECRET", "RUNPOD_API_KEY"):
        assert name in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "not a url"),
        ("APP_SECRET", "too-short-secret"),
        ("CALLBACK_SECRET", "whsec_!!!"),
        ("RUNPOD_WEBHOOK_TOKEN", "short-token"),
        ("PORT", "99999"),
        ("PREVIEW_LIFE_DAYS", "8"),
        ("LOG_LEVEL", "LOUD"),
        ("OBJECT_STORE_URL", "ftp://somewhere"),
        ("OBJECT_STORE_URL", "s3://bucket"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "sqlite:////nowhere/at/all/x.db"),
        ("FACE_MODEL_PATH", "/nowhere/model.onnx"),
        ("BOOKS_DIR", "/nowhere/books"),
        ("APPEARANCES_PATH", "/nowhere/appearances.json"),
        ("PAGE_LOOK", "sketch"),
        ("PREVIEW_QUALITY", "best"),
    ],
)
def test_a_wrong_variable_is_named(environ: dict[str, str], name: str, value: str) -> None:
    assert refusal(environ | {name: value}).startswith(f"{name}: ")


def test_secrets_are_never_repeated(environ: dict[str, str]) -> None:
    text = refusal(environ | {"APP_SECRET": "hunter2", "CALLBACK_SECRET": "whsec_hunter2"})
    assert "hunter2" not in text
    shown = repr(Settings.from_environ(environ))
    assert environ["APP_SECRET"] not in shown
    assert environ["RUNPOD_API_KEY"] not in shown


def test_a_database_password_is_not_repeated(environ: dict[str, str]) -> None:
    url = "postgresql+nodriver://user:hunter2@127.0.0.1:9/db"
    assert "hunter2" not in refusal(environ | {"DATABASE_URL": url})


def test_a_file_that_is_no_network_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"not a network")
    assert refusal(environ | {"FACE_MODEL_PATH": str(model)}).startswith("FACE_MODEL_PATH: ")


def test_a_book_that_cannot_be_drafted_is_named(
    environ: dict[str, str], books_dir: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(books_dir, tmp_path / "books"))
    (path,) = folder.glob("*/book.json")
    book = json.loads(path.read_text())
    del book["draft_workflow"]
    path.write_text(json.dumps(book))
    environ = environ | {"BOOKS_DIR": str(folder)}
    assert (
        refusal(environ | {"PAGE_LOOK": "draft"}) == "PAGE_LOOK: moonlit-fox has no draft_workflow"
    )


@pytest.mark.anyio
async def test_a_valid_environment_makes_a_gateway(environ: dict[str, str]) -> None:
    services = build(Settings.from_environ(environ), environ)
    services.kv.ping()
    services.store.ping()
    for close in services.closers:
        await close()
    services.engine.dispose()
