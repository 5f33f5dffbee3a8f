"""Licences, bills of materials, the wheel, and the hooks before a commit."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from supply.licences import AcknowledgementInvalid, licences, permissive, read_acknowledged, said_by
from supply.locks import Pin, read_lock
from supply.wheel import PACKAGES, build_wheel

ROOT = Path(__file__).resolve().parents[2]
REAL = Pin("psycopg", "3.3.9", ("0" * 64,))


def supply(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "supply", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_every_licence_in_the_images_is_settled() -> None:
    done = supply("licences")
    assert (done.returncode, done.stderr) == (0, "")
    assert "**unknown**" not in done.stdout


def test_a_copyleft_licence_needs_a_reason() -> None:
    (open_one,) = licences([REAL], {})
    assert open_one.licence == "LGPL-3.0-only"
    assert not open_one.settled
    (settled,) = licences([REAL], {"psycopg": ("LGPL-3.0-only", "used unchanged")})
    assert settled.settled


def test_a_package_that_says_nothing_needs_a_reason() -> None:
    assert said_by("no-such-package") is None
    (unknown,) = licences([Pin("no-such-package", "1", ("0" * 64,))], {})
    assert not unknown.settled


@pytest.mark.parametrize(
    ("expression", "is_so"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-2.0-only OR MIT", True),
        ("MPL-2.0 AND MIT", False),
        ("AGPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND GPL-3.0-only", False),
    ],
)
def test_permissive_is_what_asks_for_no_more_than_notices(expression: str, is_so: bool) -> None:
    assert permissive(expression) is is_so


def test_an_acknowledgement_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "licences.txt"
    path.write_text("# list\npsycopg  LGPL-3.0-only\n")
    with pytest.raises(AcknowledgementInvalid, match="line 2"):
        read_acknowledged(path)


@pytest.mark.parametrize("image", ["gateway", "worker"])
def test_a_bill_fits_the_schema_names_everything_and_is_the_same_each_time(
    image: str, tmp_path: Path
) -> None:
    texts = []
    for folder in ("one", "two"):
        done = supply("sbom", "--out", str(tmp_path / folder))
        assert done.returncode == 0, done.stderr
        texts.append((tmp_path / folder / f"sbom-{image}.cdx.json").read_text())
    assert texts[0] == texts[1]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(texts[0]) is None
    components = json.loads(texts[0])["components"]
    purls = {component.get("purl") for component in components}
    assert {pin.purl for pin in read_lock(ROOT / "requirements" / f"{image}.txt")} <= purls
    names = {component["name"] for component in components}
    assert "face_detection/centerface.onnx" in names
    assert ("ComfyUI" in names) == (image == "worker")


def test_two_builds_of_the_wheel_are_equal_and_complete(tmp_path: Path) -> None:
    """From two folders, of which one has an earlier build's leftovers, under another umask."""
    other = tmp_path / "other"
    other.mkdir()
    copied = ["pyproject.toml", *PACKAGES]
    subprocess.run(["cp", "--recursive", *copied, other], cwd=ROOT, check=True)
    (other / "build/lib/gateway").mkdir(parents=True)
    (other / "build/lib/gateway/leftover.py").touch()
    (other / "gateway/app.py").chmod(0o600)
    one = build_wheel(ROOT, tmp_path / "one", os.environ)
    before = os.umask(0o077)
    try:
        two = build_wheel(other, tmp_path / "two", os.environ)
    finally:
        os.umask(before)
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        within = set(archive.namelist())
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix in (".py", ".html", ".css", ".js", ".svg", ".json", ".txt", ".toml"):
                assert name in within, name


def test_the_hooks_before_a_commit_are_the_set_ups_own_tools() -> None:
    tool = Path(sys.executable).with_name("pre-commit")
    path = ROOT / ".pre-commit-config.yaml"
    subprocess.run([tool, "validate-config", path], check=True)
    assert path.read_text().count("repo: ") == path.read_text().count("repo: local") == 1
