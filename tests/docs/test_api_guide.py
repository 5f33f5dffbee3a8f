"""Everything that the API guide tells to do is done, in its order, and answers as it shows."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from contract.signing import new_secret
from gateway.records import writing
from gateway.shops import DEFAULT_SHOP, Shop
from tests.docs.conftest import Reader
from tests.docs.examples import MARK, assert_like, assert_shown, blocks, examples, script
from tests.gateway.live_server import served
from tests.orders.site import ROOT
from tests.sandbox.waiting import eventually

PAGE = ROOT / "docs" / "api-guide.md"


def test_every_command_line_of_the_guide_answers_as_it_shows(reader: Reader) -> None:
    chosen = examples(PAGE, "sh")
    text = script(chosen, f'printf "%s\\n" "{MARK}"')
    assert_shown(chosen, run(reader, ["bash", "-euo", "pipefail", "-c", text]))


def test_the_python_of_the_guide_answers_as_it_shows(reader: Reader) -> None:
    chosen = examples(PAGE, "python")
    text = script(chosen, f'print("{MARK}")')
    path = reader.folder / "guide.py"
    path.write_text(text)
    assert_shown(chosen, run(reader, [sys.executable, "-W", "error", str(path)]))


def run(reader: Reader, argv: list[str]) -> str:
    """What a program printed, which has to end well."""
    done = subprocess.run(
        argv,
        cwd=reader.folder,
        env=dict(reader.environ),
        capture_output=True,
        timeout=240,
        check=False,
    )
    said = f"{done.stdout.decode()}\n{done.stderr.decode()}"
    assert done.returncode == 0, said[-3000:]
    return done.stdout.decode()


def test_the_guides_check_of_webhooks_takes_ours_and_no_others(reader: Reader) -> None:
    heard = shop_that_hears(reader)
    is_ours = the_check_of_the_guide()
    for body, headers in heard.bodies:
        now = float(headers["webhook-timestamp"])
        later, shorter = body + b" ", body[:-1]
        assert is_ours(heard.secret, headers, body, now)
        assert not is_ours(heard.secret, headers, later, now)
        assert not is_ours(heard.secret, headers, shorter, now)
        assert not is_ours(heard.secret, headers, body, now + 301)
        assert not is_ours(heard.secret, headers | {"webhook-id": "msg_other"}, body, now)
        assert not is_ours(new_secret(), headers, body, now)
        assert not is_ours(heard.secret, {}, body, now)
    assert_like(shown_webhook(), json.loads(heard.bodies[0][0]), "the webhook")


class Heard:
    """A shop's server: what it was sent."""

    def __init__(self) -> None:
        self.secret = new_secret()
        self.bodies: list[tuple[bytes, dict[str, str]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        self.bodies.append((await request.body(), dict(request.headers)))
        await Response(status_code=204)(scope, receive, send)


def shop_that_hears(reader: Reader) -> Heard:
    """A shop that was told of an order of its own."""
    heard = Heard()
    site = reader.site
    with served(heard) as url:
        with writing(site.engine) as session:
            shop = session.get_one(Shop, DEFAULT_SHOP)
            shop.webhook_url, shop.webhook_secret = f"{url}/foxetales", heard.secret
        site.pay(site.painted_preview())
        eventually(lambda: heard.bodies)
    return heard


def the_check_of_the_guide() -> Callable[[str, dict[str, str], bytes, float], bool]:
    (block,) = [b for b in blocks(PAGE) if "def is_from_foxetales" in b.text]
    namespace: dict[str, Any] = {}
    exec(block.text, namespace)  # the page's own words
    check: Callable[[str, dict[str, str], bytes, float], bool] = namespace["is_from_foxetales"]
    return check


def shown_webhook() -> Any:
    (block,) = [
        b for b in blocks(PAGE) if b.language == "json" and '"type": "order.paid"' in b.text
    ]
    return json.loads(block.text)
