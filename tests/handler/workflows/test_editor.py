"""The editor as an artist starts it: a process, its page, its end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from handler.adapters.clock import SystemClock
from handler.errors import ComfyBootFailed
from handler.workflows.editor import Desk, editing
from tests.comfyui_checkout import COMFYUI
from tests.handler.conftest import REPOSITORY, comfy_options

pytestmark = pytest.mark.comfyui


@dataclass(frozen=True)
class Started:
    """The process of an editor, and what it said before it waited, by the first word."""

    process: "subprocess.Popen[str]"
    said: Mapping[str, str]

    @property
    def url(self) -> str:
        return self.said["ComfyUI's"]


@contextmanager
def started(keep: Path) -> Iterator[Started]:
    command = [sys.executable, "-m", "handler.workflows", "--comfyui-path", str(COMFYUI)]
    with subprocess.Popen(
        [*command, "edit", "--keep", str(keep)],
        cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            said = {}
            for line in process.stdout:
                said[line.split()[0]] = line.split()[-1]
                if line.startswith("Ctrl-C"):
                    break
            yield Started(process, said)
        finally:
            process.kill()


def upload(editor: Started, picture: Path) -> None:
    with picture.open("rb") as data:
        answer = requests.post(f"{editor.url}upload/image", files={"image": data}, timeout=60)
    answer.raise_for_status()


def test_an_artist_gets_comfyuis_page_with_our_nodes_and_finds_their_things_again(
    tmp_path: Path,
) -> None:
    keep = tmp_path / "editor"
    with started(keep) as editor:
        assert "<title>ComfyUI" in requests.get(editor.url, timeout=60).text
        assert (
            "FoxetalesContourFeather" in requests.get(f"{editor.url}object_info", timeout=60).text
        )
        picture = tmp_path / "mine.png"
        picture.write_bytes((REPOSITORY / "docs/images/identity.png").read_bytes())
        upload(editor, picture)
        settings = requests.get(f"{editor.url}settings", timeout=60).json()
        assert settings["Comfy.TutorialCompleted"] is True
        requests.post(
            f"{editor.url}settings", json={"Comfy.TutorialCompleted": False}, timeout=60
        ).raise_for_status()
        editor.process.send_signal(signal.SIGINT)
        assert editor.process.wait(60) == 0
        with pytest.raises(requests.ConnectionError):
            requests.get(editor.url, timeout=60)
    with started(keep) as editor:
        assert (keep / "input" / "mine.png").exists()
        settings = requests.get(f"{editor.url}settings", timeout=60).json()
        assert settings["Comfy.TutorialCompleted"] is False
        editor.process.send_signal(signal.SIGTERM)
        assert editor.process.wait(60) == 0


def test_an_editor_whose_comfyui_ends_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "editor", REPOSITORY / "comfy_nodes", tmp_path)
    with editing(comfy_options(), desk, SystemClock()) as editor:
        os.kill(comfyui_below(tmp_path), signal.SIGKILL)
        with pytest.raises(ComfyBootFailed, match="ComfyUI ended"):
            editor.wait()


def comfyui_below(folder: Path) -> int:
    """The process id of the ComfyUI that works in ``folder``."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_text().split("\0")
        except OSError:
            continue  # it has ended
        if "--base-directory" in arguments and str(folder) in "".join(arguments):
            return int(entry.name)
    raise AssertionError("no ComfyUI runs there")
