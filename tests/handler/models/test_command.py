"""``python -m handler.models`` as a process, against a server on loopback."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.handler.conftest import REPOSITORY
from tests.handler.models.shelf import Shelf, cut, half_and_wait, say
from tests.handler.tiny import tiny_slots, write_workflow
from tests.sandbox.waiting import eventually

A = b"first" * 100_000
B = b"second" * 100_000
PATH_A = "/org/model/resolve/abc/a.safetensors"
PATH_B = "/b.pth?signature=secret"
TOKEN = "hf_verysecret"


class Site:
    """A models folder, lists and workflows, and the command on them."""

    def __init__(self, shelf: Shelf, root: Path) -> None:
        self.root, self.shelf = root, shelf
        self.models = root / "models"
        shelf.files |= {PATH_A: A, PATH_B: B}
        slots = tiny_slots()
        slots["models"] = [
            {"folder": "vae", "file": "a.safetensors"},
            {"folder": "loras", "file": "own.safetensors"},
        ]
        write_workflow(root / "workflows", slots=slots)
        self.write(
            self.line("vae/a.safetensors", A, f"https://huggingface.co{PATH_A}", "gated"),
            self.line("unet/b.pth", B, shelf.url(PATH_B)),
            "loras/own.safetensors  -  -  LicenseRef-FLUX-1-dev  open  configuration",
        )

    @staticmethod
    def line(name: str, data: bytes, source: str, access: str = "open") -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        return f"{name}  {len(data)}  {sha256}  MIT  {access}  {source}"

    def write(self, *lines: str, name: str = "models.txt") -> None:
        (self.root / name).write_text("\n".join(lines) + "\n")

    def environ(self, **more: str) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "MODEL_LIST": str(self.root / "models.txt"),
            "WORKFLOWS_DIR": str(self.root / "workflows"),
            "COMFYUI_MODELS_DIR": str(self.models),
            "HF_ENDPOINT": self.shelf.origin,
            "HF_TOKEN": TOKEN,
            **more,
        }

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "handler.models", *arguments],
            cwd=REPOSITORY,
            env=self.environ(**more),
            capture_output=True,
            text=True,
            timeout=120,
        )
        said = done.stdout + done.stderr
        assert TOKEN not in said
        assert "signature" not in said
        assert "Traceback" not in said
        return done

    def put_own(self) -> None:
        (self.models / "loras").mkdir(parents=True)
        (self.models / "loras/own.safetensors").write_bytes(b"ours")


@pytest.fixture
def site(shelf: Shelf, tmp_path: Path) -> Site:
    return Site(shelf, tmp_path)


def test_everything_is_fetched_and_the_customers_file_is_asked_for(site: Site) -> None:
    done = site.run("fetch")
    assert done.returncode == 0, done.stderr
    assert (site.models / "vae/a.safetensors").read_bytes() == A
    assert (site.models / "unet/b.pth").read_bytes() == B
    assert "yours      loras/own.safetensors" in done.stdout
    assert "0 of 3 files were there, 2 fetched, 1 missing" in done.stdout
    assert "vae/a.safetensors: fetched, and its SHA-256 is right" in done.stderr
    assert site.shelf.tokens(PATH_A) == [f"Bearer {TOKEN}"]


def test_what_is_there_and_right_is_not_fetched_again_and_what_is_wrong_is(site: Site) -> None:
    site.put_own()
    assert site.run("fetch").returncode == 0
    (site.models / "unet/b.pth").write_bytes(b"!" * len(B))
    asked = len(site.shelf.asked)
    done = site.run("fetch")
    assert done.returncode == 0
    assert [path for path, _ in site.shelf.asked[asked:]] == [PATH_B]
    assert (site.models / "unet/b.pth").read_bytes() == B
    assert "2 of 3 files were there, 1 fetched, 0 missing" in done.stdout


def test_one_file_that_fails_does_not_stop_the_others(site: Site) -> None:
    site.shelf.tell(PATH_A, say(403))
    done = site.run("fetch", "--jobs", "1")
    assert done.returncode == 1
    assert "missing    vae/a.safetensors: 127.0.0.1 forbids it: accept the licence" in done.stdout
    assert (site.models / "unet/b.pth").read_bytes() == B


def test_a_token_is_not_sent_to_other_sources(site: Site) -> None:
    with_other = "http://localhost" + site.shelf.origin.removeprefix("http://127.0.0.1")
    site.write(site.line("unet/b.pth", B, with_other + PATH_B))
    assert site.run("fetch").returncode == 0
    assert site.shelf.tokens(PATH_B) == [None]


def test_a_killed_fetch_goes_on_where_it_was(site: Site, tmp_path: Path) -> None:
    rest = threading.Event()
    site.shelf.tell(PATH_A, half_and_wait(rest))
    part = site.models / "vae/.a.safetensors.part"
    first = subprocess.Popen(
        [sys.executable, "-m", "handler.models", "fetch", "--workflow", "tiny/v1"],
        cwd=REPOSITORY,
        env=site.environ(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: part.is_file() and part.stat().st_size >= 100_000)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
        rest.set()
    assert not (site.models / "vae/a.safetensors").exists()
    had = part.stat().st_size
    assert site.run("fetch", "--workflow", "tiny/v1").returncode == 0
    assert site.shelf.ranges(PATH_A) == [None, f"bytes={had}-"]
    assert (site.models / "vae/a.safetensors").read_bytes() == A
    assert sorted(p.name for p in (site.models / "vae").iterdir()) == ["a.safetensors"]
    assert PATH_B not in [path for path, _ in site.shelf.asked]


def test_ctrl_c_ends_it_and_keeps_what_came(site: Site) -> None:
    rest = threading.Event()
    site.shelf.tell(PATH_A, half_and_wait(rest))
    part = site.models / "vae/.a.safetensors.part"
    running = subprocess.Popen(
        [sys.executable, "-m", "handler.models", "fetch", "--workflow", "tiny/v1"],
        cwd=REPOSITORY,
        env=site.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: part.is_file() and part.stat().st_size >= 100_000)
        running.send_signal(signal.SIGINT)
        rest.set()
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130
    assert said.splitlines()[-1] == "handler.models: interrupted; run it again to go on"


def test_a_disk_that_is_too_small_is_seen_before_the_first_byte(site: Site) -> None:
    line = site.line("vae/a.safetensors", A, f"https://huggingface.co{PATH_A}")
    site.write(line.replace(f"  {len(A)}  ", f"  {10**17}  "))
    done = site.run("fetch")
    assert done.returncode == 2
    assert "too little space on this disk" in done.stderr
    assert site.shelf.asked == []


def test_without_a_terminal_progress_is_a_line_for_each_tenth(site: Site) -> None:
    site.shelf.tell(PATH_A, cut(300_000))
    done = site.run("fetch", "--workflow", "tiny/v1")
    lines = [line for line in done.stderr.splitlines() if line.startswith("vae/a.safetensors: ")]
    assert lines[0] == "vae/a.safetensors: 0 %, 0 bytes of 500.0 kB"
    assert len(lines) == len(set(lines)) <= 12
    assert "\x1b" not in done.stderr


def test_a_terminal_shows_bars(site: Site) -> None:
    """On a terminal of ours: what it shows is read from the other end."""
    site.put_own()
    leader, follower = os.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "handler.models", "fetch"],
        cwd=REPOSITORY,
        env=site.environ(TERM="xterm", COLUMNS="140"),
        stdout=subprocess.DEVNULL,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            shown += (data := os.read(leader, 65536))
        except OSError:  # the other end was closed
            break
        if not data:
            break
    os.close(leader)
    assert running.wait(60) == 0
    text = shown.decode()
    assert "unet/b.pth: fetched, and its SHA-256 is right" in text
    assert "━" in text
    assert TOKEN not in text


def test_verify_names_what_is_right_missing_wrong_and_unchecked(site: Site) -> None:
    assert site.run("fetch").returncode == 0
    assert site.run("verify").returncode == 3
    site.put_own()
    done = site.run("verify")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "right      vae/a.safetensors",
        "right      unet/b.pth",
        "unchecked  loras/own.safetensors: the list has no SHA-256 of it",
    ]
    (site.models / "unet/b.pth").write_bytes(b"!" * len(B))
    (site.models / "vae/a.safetensors").write_bytes(b"short")
    done = site.run("verify")
    assert done.returncode == 1
    assert "wrong      unet/b.pth: its SHA-256 is" in done.stdout
    assert "wrong      vae/a.safetensors: it has 5 bytes, and the list says 500000" in done.stdout
    assert site.run("verify", "--models", str(site.root / "nowhere")).returncode == 1


def test_a_fetched_file_is_known_to_the_worker_without_reading_it_again(site: Site) -> None:
    site.put_own()
    site.run("fetch")
    kept = (site.models / ".model_hashes.json").read_text()
    assert hashlib.sha256(A).hexdigest() in kept
    assert '"vae/a.safetensors"' in kept


def test_the_customers_own_list_is_read(site: Site) -> None:
    own = b"the customer's"
    site.shelf.files["/own"] = own
    site.write(
        site.line("loras/own.safetensors", own, site.shelf.url("/own")), name="models.local.txt"
    )
    assert site.run("fetch", "--workflow", "tiny/v1").returncode == 0
    assert (site.models / "loras/own.safetensors").read_bytes() == own


def test_a_folder_is_told_by_option_layout_or_environment(site: Site) -> None:
    for options in (("--to", f"{site.root}/x"), ("--models", f"{site.root}/x")):
        assert site.run("fetch", *options).returncode == 0
    assert (site.root / "x/vae/a.safetensors").read_bytes() == A
    assert not site.models.exists()
    assert site.run("verify", "--layout", "volume").returncode == 1  # nothing lies there


def test_size_tells_what_is_needed_there_and_missing(site: Site) -> None:
    site.run("fetch", "--workflow", "tiny/v1")
    lines = [line.split() for line in site.run("size").stdout.splitlines()]
    assert lines[0] == ["workflow", "files", "needed", "there", "missing"]
    assert lines[1] == ["tiny/v1", "2", "500.0", "kB", "500.0", "kB", "0", "bytes"]
    assert lines[-1] == ["size", "unknown,", "not", "counted:", "loras/own.safetensors"]


def test_licences_tells_who_needs_what(site: Site) -> None:
    done = site.run("licences")
    _, a, b, own = done.stdout.splitlines()
    assert a.split() == ["vae/a.safetensors", "MIT", "yes", "tiny/v1"]
    assert b.split() == ["unet/b.pth", "MIT", "yes", "none"]
    assert "no; sold at https://bfl.ai/pricing/licensing" in own
    told = site.run("licences", ACKNOWLEDGED_LICENCES="LicenseRef-FLUX-1-dev=7").stdout
    assert "acknowledged" in told.splitlines()[3]


@pytest.mark.parametrize(
    ("arguments", "more", "expected"),
    [
        (("fetch", "--workflow", "no_such/v1"), {}, "there is no workflow no_such v1"),
        (("fetch", "--workflow", "tiny"), {}, "name/vN"),
        (("fetch", "--layout", "somewhere"), {}, "invalid choice"),
        (("fetch",), {"HF_ENDPOINT": "ftp://x"}, "HF_ENDPOINT is an http or https URL"),
        (("fetch",), {"MODEL_LIST": "/nowhere/models.txt"}, "models.txt: not readable"),
        (("fetch",), {"MODEL_LIST_LOCAL": "/nowhere/l.txt"}, "l.txt: not readable"),
        (("licences",), {"ACKNOWLEDGED_LICENCES": "x"}, "ACKNOWLEDGED_LICENCES lists licences"),
        (("fetch",), {"WORKFLOWS_DIR": "/nowhere"}, ""),
        ((), {}, "required: command"),
    ],
)
def test_what_cannot_be_tried_is_status_2(
    site: Site, arguments: tuple[str, ...], more: dict[str, str], expected: str
) -> None:
    if "WORKFLOWS_DIR" in more:
        arguments = (*arguments, "--workflow", "tiny/v1")
    done = site.run(*arguments, **more)
    assert done.returncode == 2
    assert expected in done.stderr
    assert site.shelf.asked == []


def test_comfyui_reads_the_paths_that_are_written(site: Site) -> None:
    """ComfyUI's own parser, in a process of its own: its modules take names that others have."""
    site.put_own()
    assert site.run("fetch").returncode == 0
    ask = (
        "import sys; sys.argv = ['main.py', '--cpu']; import folder_paths;"
        "from utils.extra_config import load_extra_path_config as load;"
        f"load({str(site.models / 'extra_model_paths.yaml')!r});"
        "print(folder_paths.get_full_path('vae', 'a.safetensors'));"
        "print(folder_paths.get_full_path('loras', 'own.safetensors'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=REPOSITORY / "build/comfyui",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == [
        str(site.models / "vae/a.safetensors"),
        str(site.models / "loras/own.safetensors"),
    ]
