"""The deploy guide, done step by step, from nothing to one folder at the printer.

Its commands are run as they stand, one shell's variables going on in the next, against stand-ins:
a bucket of moto's, an account that keeps RunPod's rules, RunPod's and Stripe's stand-ins, a worker
that paints in no time. Replaced are the examples that a reader replaces (``Guide.words``), what
stands as ``…``, and ``docker`` (``docker_stand_in``). Two blocks aren't run: ``guide.NOT_RUN``.
"""

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Thread

import httpx
import pytest
from moto.server import ThreadedMotoServer

from handler.workflows.model_list import read_model_list
from sandbox.control_plane.worker_api import worker_environ
from sandbox.supervisor import Process, Supervisor
from storage.s3 import connect
from tests.deploy.fake_runpod import KEY, FakeRunpod, fake_runpod
from tests.docs.examples import blocks
from tests.docs.guide import PAGE, Guide, the_block
from tests.gateway.conftest import FACE_MODEL
from tests.images.dockerfile import defaults, environment, read
from tests.orders.site import ROOT
from tests.sandbox.waiting import eventually
from tests.servers import free_port
from tests.stack.shop import Shop

RUNS = "rpa_a_key_that_may_run"
STRIPE_KEY, STRIPE_SECRET = "sk_test_guide", "whsec_guide"
BUCKET = {"S3_ACCESS_KEY_ID": "an-access-key", "S3_SECRET_ACCESS_KEY": "its-secret"}

# Commands that may end with another status than 0: nothing is set yet; there are changes; risks.
TOLD = [
    ("2", "docker run --rm --read-only --tmpfs /tmp $REGISTRY/gateway:0.1.0 python"),
    ("3", "python -m deploy plan"),
    ("1", "docker run --rm --env-file gateway.env $REGISTRY/gateway:0.1.0 python"),
]

# Half a minute, and several on a busy machine.
pytestmark = pytest.mark.timeout(600)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The files of a folder by HTTP; yields its URL."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bucket() -> Iterator[dict[str, str]]:
    """An empty bucket, and what is noted of it in step 2."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    noted = {"S3_ENDPOINT_URL": f"http://{host}:{port}", **BUCKET}
    client = connect(
        endpoint_url=noted["S3_ENDPOINT_URL"],
        region="us-east-1",
        access_key_id=noted["S3_ACCESS_KEY_ID"],
        secret_access_key=noted["S3_SECRET_ACCESS_KEY"],
    )
    with closing(client):
        client.create_bucket(Bucket="foxetales")
    yield noted
    server.stop()


@pytest.fixture
def runpod() -> Iterator[FakeRunpod]:
    """An account with nothing in it but the registry credential of step 4."""
    with fake_runpod() as account:
        yield account


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Path]:
    """A list of model files by which the draft look's one file is fetched from this machine."""
    listed = read_model_list(ROOT / "models.txt")["face_detection", FACE_MODEL.name]
    with served(FACE_MODEL.parent) as url:
        path = tmp_path / "models.local.txt"
        size, sha256 = FACE_MODEL.stat().st_size, listed.sha256
        name = f"face_detection/{FACE_MODEL.name}"
        path.write_text(f"{name}  {size}  {sha256}  MIT  open  {url}/{FACE_MODEL.name}\n")
        yield path


@pytest.fixture
def guide(
    tmp_path: Path, bucket: dict[str, str], runpod: FakeRunpod, mirror: Path
) -> Iterator[Guide]:
    """A reader with a copy of what is edited, a bucket, accounts, and no engine but a stand-in."""
    folder, engine, programs = (tmp_path / name for name in ("reader", "engine", "programs"))
    for made in (folder, programs, engine / "volume", engine / "containers"):
        made.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    docker = programs / "docker"
    docker.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.docs.docker_stand_in "$@"\n')
    docker.chmod(0o755)
    words = {
        "https://books.example.com": f"http://127.0.0.1:{free_port()}",
        "registry.example/foxetales": "images.shop.test/shop",
        "/workspace/models": str(tmp_path / "models"),
    }
    known = {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C.UTF-8",
        "DOCKER_STAND_IN": str(engine),
        "MODEL_LIST_LOCAL": str(mirror),
        "RUNPOD_REST_URL": runpod.url,
        "RUNPOD_API_KEY": KEY,
        "HF_TOKEN": "hf_token",
        **bucket,
    }
    yield Guide(folder, words, known)
    for container in (engine / "containers").iterdir():
        with suppress(ProcessLookupError):  # it may have ended: then the test says why
            os.kill(json.loads(container.read_text())["pid"], signal.SIGKILL)


def cloud(guide: Guide, env: dict[str, str]) -> Supervisor:
    """RunPod's and Stripe's stand-ins, and a worker with the variables of the endpoint."""
    base = {"PATH": os.environ["PATH"], "HOME": str(guide.folder), "PYTHONPATH": str(ROOT)}
    plane, stripe = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    guide.world = {"RUNPOD_API_URL": f"{plane}/v2", "STRIPE_API_URL": stripe}
    told = {
        plane: {
            "SANDBOX_ENDPOINT_ID": "ep1",
            "SANDBOX_API_KEY": RUNS,
            "SANDBOX_WORKER_KEY": "work",
            "SANDBOX_POLL_S": "0.5",
        },
        stripe: {
            "SANDBOX_STRIPE_KEY": STRIPE_KEY,
            "SANDBOX_STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
            "SANDBOX_STRIPE_WEBHOOK_URL": f"{guide.url}/webhooks/stripe",
        },
    }
    modules = {plane: "sandbox.control_plane", stripe: "sandbox.stripe_stand_in"}
    stand_ins = [
        Process(
            name=module,
            argv=[sys.executable, "-m", module, "--port", url.rpartition(":")[2]],
            env={**base, **told[url]},
            log=guide.folder / f"{module}.log",
            cwd=ROOT,
            ready_url=f"{url}/ready",
        )
        for url, module in modules.items()
    ]
    painter = Process(
        name="painter",
        argv=[sys.executable, "-m", "tests.orders.painter"],
        env={
            **base,
            **worker_environ(plane, "ep1", worker_id="painter", key="work"),
            "SILENCE_FILE": str(guide.folder / "silence"),
            **env,
        },
        log=guide.folder / "painter.log",
        cwd=ROOT,
        stage=1,
    )
    return Supervisor([*stand_ins, painter])


def edit_the_endpoint(guide: Guide) -> None:
    """Do what step 6 says of the file."""
    file = guide.folder / "deploy" / "endpoint.toml"
    text = file.read_text()
    for line in guide.reads(the_block("6.", "toml")).splitlines():
        name = line.partition(" = ")[0]
        text, found = re.subn(rf"^{name} = .*$", line, text, flags=re.MULTILINE)
        assert found == 1, name
    file.write_text(text)


def write_the_variables(guide: Guide, told: dict[str, str]) -> None:
    """Write step 8's file, with what was told in place of each ``…``."""
    text = guide.reads(the_block("8.", "ini"))
    filled = re.sub(r"^(\w+)=…$", lambda line: f"{line[1]}={told[line[1]]}", text, flags=re.M)
    (guide.folder / "gateway.env").write_text(filled)


def put_the_image_together(guide: Guide) -> None:
    """The variables of the image, but for what lies elsewhere on this machine, and who answers."""
    _, stages = read(ROOT / "Dockerfile.gateway")
    here = {
        "HOME": "/var/lib/foxetales",
        "HOST": "127.0.0.1",
        "PORT": guide.url.rpartition(":")[2],
        "BOOKS_DIR": str(ROOT / "build" / "books"),
        "FACE_MODEL_PATH": str(FACE_MODEL),
        "FACE_MIN_AREA_PERCENT": "3",
        "PYTHONPATH": str(ROOT),
    }
    image = environment(stages[-1], defaults(stages[-1])) | here | guide.world
    (Path(guide.known["DOCKER_STAND_IN"]) / "image.json").write_text(json.dumps(image))


def portrait() -> bytes:
    return (files("skimage") / "data" / "astronaut.png").read_bytes()


def test_the_guide_leads_from_nothing_to_one_print_folder(guide: Guide, runpod: FakeRunpod) -> None:
    guide.follow("1.")
    (made,) = guide.follow("3.")
    secrets = dict(line.split("=", 1) for line in made.splitlines())
    assert set(secrets) == {"APP_SECRET", "DESK_SECRET", "RUNPOD_WEBHOOK_TOKEN", "CALLBACK_SECRET"}
    guide.known |= {"CALLBACK_SECRET": secrets["CALLBACK_SECRET"]}

    put_the_image_together(guide)
    _, checked = guide.follow("4.")
    assert "wrong  PUBLIC_URL: is missing" in checked
    fetched, _ = guide.follow("5.")
    assert "right      face_detection/centerface.onnx" in fetched

    edit_the_endpoint(guide)
    (applied,) = guide.follow("6.")
    (endpoint_id,) = re.findall(r"create endpoint \S+, id (\w+)", applied)
    images = (Path(guide.known["DOCKER_STAND_IN"]) / "images").read_text().splitlines()
    assert runpod.endpoints[endpoint_id]["image"] in images
    guide.follow("7.")
    worker = runpod.endpoints[endpoint_id]["env"]
    with cloud(guide, worker):
        put_the_image_together(guide)
        told = {
            **guide.known,
            **secrets,
            "RUNPOD_ENDPOINT_ID": endpoint_id,
            "RUNPOD_API_KEY": RUNS,
            "STRIPE_API_KEY": STRIPE_KEY,
            "STRIPE_WEBHOOK_SECRETS": STRIPE_SECRET,
        }
        write_the_variables(guide, told)
        started, health = guide.follow("8.")
        assert "0 wrong" in started
        parts = json.loads(health)["dependencies"]
        assert {part["status"] for part in parts.values()} == {"ok"}
        unsigned = httpx.post(worker["CALLBACK_URL"], json={}, timeout=30)
        assert unsigned.json()["code"] == "invalid_signature"
        desk, none = guide.follow("9.")
        assert re.search(r"^fox_[\w-]+$", desk, re.MULTILINE)
        assert json.loads(none)["orders"] == []
        order_id = buy(guide)
        shown, _ = guide.follow("10.")
        assert json.loads(shown) == {
            "order_id": order_id,
            "status": "in_production",
            "parked_reason": None,
        }
    (folder,) = (guide.folder / "print_jobs").iterdir()
    assert {"full_book.pdf", "cover.pdf"} <= {file.name for file in folder.iterdir()}
    letters = sorted(path.name for path in (guide.folder / "mail").iterdir())
    assert letters == [f"{order_id}.book_ready.eml", f"{order_id}.order_confirmed.eml"]
    every_command_was_run_and_ended_as_told(guide)


def buy(guide: Guide) -> str:
    """What step 10 does on the page; returns the order's id when the printer has the book, and
    the parent the letters."""
    with httpx.Client(base_url=guide.url, timeout=60) as client:
        shop = Shop(client)
        preview = shop.order_preview(portrait())
        assert shop.wait_for_end(preview)["status"] == "completed"
        order_id = shop.buy(preview)
        assert shop.wait_for_print(preview, order_id)["status"] == "printing"
    letters = Path(guide.known["DOCKER_STAND_IN"]) / "volume" / "mail"
    eventually(lambda: (letters / f"{order_id}.book_ready.eml").exists())
    return order_id


def every_command_was_run_and_ended_as_told(guide: Guide) -> None:
    assert guide.done == [block for block in blocks(PAGE) if block.language == "sh"]
    assert len(guide.failed) == len(TOLD), guide.failed
    for (status, command), (told, begin) in zip(guide.failed, TOLD, strict=True):
        assert (status, command.startswith(begin)) == (told, True), command
