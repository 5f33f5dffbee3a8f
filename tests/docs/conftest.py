"""A gateway as a process, with everything that the examples of the documentation call."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

from gateway.migrations import upgrade
from gateway.records import open_engine
from sandbox.supervisor import Process, Supervisor
from tests.gateway.conftest import books_dir  # noqa: F401  # a fixture
from tests.orders.site import ROOT, Site, running_site
from tests.servers import free_port


@dataclass(frozen=True)
class Reader:
    """Who follows a page: the folder to work in, and the environment."""

    folder: Path
    environ: Mapping[str, str]
    site: Site


@pytest.fixture
def site(tmp_path: Path, books_dir: Path) -> Iterator[Site]:  # noqa: F811
    """A site without gateways that sells through Stripe's stand-in."""
    stripe = f"http://127.0.0.1:{free_port()}"
    store = {"OBJECT_STORE_URL": f"file://{tmp_path}/store"}
    with running_site(tmp_path, books_dir, store) as base:
        environ = {
            **base.environ,
            "MAIL_OUTBOX_DIR": f"{tmp_path}/mail",
            "PRINT_DROP_DIR": f"{tmp_path}/print_jobs",
            "FACE_MIN_AREA_PERCENT": "3",
            "WEBHOOK_NETWORKS": "127.0.0.0/8",
            "STRIPE_API_URL": stripe,
            "STRIPE_API_KEY": "sk_test_docs",
            "STRIPE_WEBHOOK_SECRETS": "whsec_docs",
            "ALLOW_TEST_PAYMENTS": "true",
        }
        database_url = f"sqlite:///{tmp_path}/gateway.db"
        engine = open_engine(database_url)
        upgrade(engine)
        made = Site(tmp_path, environ, base.ports, database_url, engine)
        with Supervisor([_stripe(stripe, made)]):
            yield made
            made.close()
    for name in ("store", "print_jobs"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)


def _stripe(origin: str, site: Site) -> Process:
    return Process(
        name="stripe",
        argv=[
            *(sys.executable, "-m", "sandbox.stripe_stand_in"),
            *("--port", origin.rpartition(":")[2]),
        ],
        env={
            **{name: site.environ[name] for name in ("PATH", "HOME", "PYTHONUNBUFFERED")},
            "SANDBOX_STRIPE_KEY": site.environ["STRIPE_API_KEY"],
            "SANDBOX_STRIPE_WEBHOOK_SECRET": site.environ["STRIPE_WEBHOOK_SECRETS"],
            "SANDBOX_STRIPE_WEBHOOK_URL": f"http://127.0.0.1:{site.ports[0]}/webhooks/stripe",
        },
        log=site.folder / "stripe.log",
        cwd=ROOT,
        ready_url=f"{origin}/ready",
    )


@pytest.fixture
def reader(site: Site) -> Reader:
    """Somebody in an empty folder with a photo, and a gateway that runs."""
    gateway = site.start()
    folder = site.folder / "reader"
    folder.mkdir()
    shutil.copy(str(files("skimage") / "data" / "astronaut.png"), folder / "child.png")
    python = Path(sys.executable).parent
    environ = {
        "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C.UTF-8",
        "GATEWAY": gateway.url,
        "PHOTO": "child.png",
        "DATABASE_URL": site.database_url,
    }
    return Reader(folder, environ, site)
