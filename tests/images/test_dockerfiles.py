"""What both Dockerfiles have in common, read from their text."""

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.images.dockerfile import ROOT, Stage, defaults, environment, read

DOCKERFILES = ("Dockerfile.gateway", "Dockerfile.gpu")
both = pytest.mark.parametrize("name", DOCKERFILES)


def last(name: str) -> Stage:
    return read(ROOT / name)[1][-1]


def copied(name: str) -> list[str]:
    stages = read(ROOT / name)[1]
    copies = [each for stage in stages for each in stage.named("COPY") if "from" not in each.flags]
    return [source for copy in copies for source in copy.words[:-1]]


def sent(path: str) -> bool:
    """Whether .dockerignore lets a path of the repository through to the builder."""
    allowed = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip().removeprefix("!").rstrip("/")
        if not pattern or pattern.startswith("#"):
            continue
        anywhere = pattern.removeprefix("**/")
        parents = ["/".join(path.split("/")[: i + 1]) for i in range(path.count("/") + 1)]
        by_name = pattern.startswith("**/") and any(fnmatch(p, anywhere) for p in path.split("/"))
        if by_name or any(fnmatch(parent, pattern) for parent in parents):
            allowed = line.startswith("!")
    return allowed


@both
def test_hadolint_finds_nothing(name: str) -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, name], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@both
def test_no_line_is_exempt_from_the_linter(name: str) -> None:
    assert "hadolint ignore" not in (ROOT / name).read_text()


@both
def test_the_base_is_named_by_tag_and_digest(name: str) -> None:
    arguments, stages = read(ROOT / name)
    foreign = {stage.base for stage in stages} - {stage.name for stage in stages}
    assert foreign == {"python:${PYTHON_TAG}@${PYTHON_DIGEST}"}
    assert re.fullmatch(r"3\.11\.\d+-slim-\w+", arguments["PYTHON_TAG"])
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", arguments["PYTHON_DIGEST"])


def test_both_images_stand_on_the_same_base() -> None:
    gateway, worker = (read(ROOT / name)[0] for name in DOCKERFILES)
    assert gateway == worker


@both
def test_it_runs_as_nobody_in_particular_and_can_be_stopped_and_asked(name: str) -> None:
    stage = last(name)
    assert [each.text for each in stage.named("USER")] == ["10001:10001"]
    assert [each.text for each in stage.named("STOPSIGNAL")] == ["SIGTERM"]
    (check,) = stage.named("HEALTHCHECK")
    assert check.words[0] == "python"
    assert {"interval", "timeout", "start-period", "retries"} <= set(check.flags)
    (command,) = stage.named("CMD")
    assert command.words[:2] == ["python", "-m"]


@both
def test_no_command_runs_as_root_after_the_user_is_set(name: str) -> None:
    names = [each.name for each in last(name).instructions]
    assert "COPY" not in names[names.index("USER") :]


@both
def test_what_is_copied_exists_and_is_sent_to_the_builder(name: str) -> None:
    for source in copied(name):
        path = ROOT / source
        files = [path] if path.is_file() else list(path.rglob("*.py")) or [path]
        assert path.exists(), source
        assert all(sent(file.relative_to(ROOT).as_posix()) for file in files), source


def test_nothing_else_is_sent_to_the_builder() -> None:
    wanted = {source.split("/")[0] for name in DOCKERFILES for source in copied(name)}
    entries = {path.name for path in ROOT.iterdir() if sent(path.name)}
    assert entries == wanted


@pytest.mark.parametrize(
    "path",
    [
        *(".git/config", ".env", ".venv/bin/python", ".local/secrets.json", "out/cover.pdf"),
        *("build/comfyui/main.py", "tests/conftest.py", "gateway/.env", "models.local.txt"),
        *("handler/__pycache__/worker.cpython-311.pyc", "workflows/models.local.txt"),
    ],
)
def test_secrets_and_what_is_made_here_stay_here(path: str) -> None:
    assert not sent(path)


@both
def test_no_secret_is_an_argument_or_a_variable(name: str) -> None:
    text = (ROOT / name).read_text()
    named = set(re.findall(r"(?:^ARG |^ENV |^ {4})([A-Z_]+)=", text, re.MULTILINE))
    assert not [each for each in named if re.search("TOKEN|SECRET|KEY|PASSWORD", each)]


@both
def test_dependencies_are_installed_before_code_is_copied_and_by_hash(name: str) -> None:
    for stage in read(ROOT / name)[1]:
        texts = [each.text for each in stage.instructions]
        locks = [i for i, text in enumerate(texts) if "--require-hashes" in text]
        code = [
            i
            for i, text in enumerate(texts)
            if re.match(r"(contract|handler|gateway|books)/", text)
        ]
        assert not locks or not code or max(locks) < min(code)
        for text in texts:
            for command in re.findall(r"pip (?:install|download) [^&]*", text):
                assert "--require-hashes" in command or "--no-index" in command, command


@both
def test_every_path_that_its_variables_name_is_copied_there(name: str) -> None:
    stage = last(name)
    targets = [each.words[-1] for each in stage.named("COPY")] + ["/var/lib/foxetales"]
    values = environment(stage, defaults(stage)).values()
    paths = [value for value in values if value.startswith("/opt/f") or value == "/opt/comfyui"]
    assert paths
    for path in paths:
        inside = ("/opt/foxetales/models.txt", "/opt/foxetales/comfy_nodes")
        assert path in inside or any(path.startswith(target.rstrip("/")) for target in targets)


def test_debian_packages_of_the_images_are_those_of_the_set_up() -> None:
    """So what was tested here is what is there: libraries, and the fonts of the printed book."""
    makefile = (ROOT / "Makefile").read_text()
    (here,) = re.findall(r"^SYSTEM_PACKAGES := (.*)$", makefile, re.MULTILINE)
    wanted = re.findall(
        r"apt-get install --yes --no-install-recommends ([a-z0-9 -]+?) *\\",
        "".join((ROOT / name).read_text() for name in DOCKERFILES),
    )
    packages = {package for line in wanted for package in line.split()}
    assert packages - {"git"} <= set(here.split())
    assert {"fonts-sil-andika", "fonts-dejavu-core"} <= packages


def test_the_worker_and_its_comfyui_share_one_environment() -> None:
    made = re.findall(r"-m venv (\S+)", (ROOT / "Dockerfile.gpu").read_text())
    assert made == ["/opt/venv"]


def test_the_comfyui_that_is_checked_out_is_the_one_that_is_told() -> None:
    _, stages = read(ROOT / "Dockerfile.gpu")
    told = {
        defaults(stage)["COMFYUI_VERSION"]
        for stage in stages
        if "COMFYUI_VERSION" in defaults(stage)
    }
    (version,) = told
    assert f"ComfyUI is {version}," in (ROOT / "docs/supply-chain.md").read_text()
    page = (ROOT / "docs/comfyui-versions.md").read_text()
    assert f"| the worker's image | {version} of" in page
    embedded = (ROOT / "build/comfyui/comfyui_version.py").read_text().split('"')[1]
    assert f"tests of every day | {embedded} of" in page
