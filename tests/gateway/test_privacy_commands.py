"""``python -m gateway privacy``: what is stored of a customer, written to a file."""

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.commands import parser
from gateway.inbox import SHOPIFY, Message, undone
from gateway.privacy_commands import PrivacyError
from gateway.shops import Shop, add_shop
from tests.gateway.fake_shopify import DOMAIN
from tests.gateway.fakes import MovableClock
from tests.gateway.order_stage import OrderStage


def command(orders: OrderStage, *arguments: str) -> str:
    """What a command prints."""
    given = parser().parse_args(["privacy", *arguments])
    out = io.StringIO()
    given.run(given, orders.services.engine, orders.services.clock, out)
    return out.getvalue()


@pytest.fixture
def order_id(orders: OrderStage) -> str:
    """An order of a shop at Shopify that has no webhook."""
    services = orders.services
    add_shop(services.engine, services.clock, Shop(shop_id="acme", name="A", shopify_domain=DOMAIN))
    preview = orders.preview(child_name="Zebulon")
    order_id = orders.pay(preview.preview_id, shop_id="acme", email="mum@x.org", customer_id="99")
    assert order_id
    return order_id


def ask(orders: OrderStage, **customer: Any) -> None:
    """The customer asks for their data, by way of Shopify."""
    body = json.dumps({"shop_domain": DOMAIN, "customer": customer})
    message = Message(SHOPIFY, "wh-1", "customers/data_request", body, "e-1", DOMAIN)
    orders.services.sales.inbox.record([message])
    orders.services.sales.inbox.work_due()


def test_a_request_is_listed_answered_and_done_with(
    orders: OrderStage, order_id: str, tmp_path: Path, clock: MovableClock
) -> None:
    ask(orders, id=99, email="mum@x.org")
    clock.move(days=3)
    listed = command(orders, "requests")
    assert listed.split("  ")[1:4] == ["wh-1", DOMAIN, "3 days old"]
    assert "mum" not in listed
    file = tmp_path / "data.json"
    told = command(orders, "answer", "wh-1", "--file", str(file))
    assert told == "written: 1 orders, 1 previews\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    document = json.loads(file.read_text())
    assert document["orders"][0]["order_id"] == order_id
    assert document["orders"][0]["address"]["city"] == "London"
    assert document["previews"][0]["child_name"] == "Zebulon"
    assert command(orders, "requests") == ""
    assert undone(orders.services.engine) == []
    with pytest.raises(PrivacyError, match="answered"):
        command(orders, "answer", "wh-1", "--file", str(tmp_path / "again.json"))


def test_a_file_that_is_there_stays_and_the_request_too(
    orders: OrderStage, order_id: str, tmp_path: Path
) -> None:
    ask(orders, id=99)
    file = tmp_path / "data.json"
    file.write_text("mine")
    with pytest.raises(PrivacyError, match="can't be made"):
        command(orders, "answer", "wh-1", "--file", str(file))
    assert file.read_text() == "mine"
    assert "wh-1" in command(orders, "requests")


@pytest.mark.parametrize("who", [("--email", "MUM@x.org"), ("--customer-id", "99")])
def test_a_customer_who_asked_elsewhere_gets_the_same(
    orders: OrderStage, order_id: str, tmp_path: Path, who: tuple[str, str]
) -> None:
    file = tmp_path / "data.json"
    command(orders, "data", "acme", *who, "--file", str(file))
    assert [told["order_id"] for told in json.loads(file.read_text())["orders"]] == [order_id]
    command(orders, "data", "default", *who, "--file", str(tmp_path / "other.json"))
    assert json.loads((tmp_path / "other.json").read_text())["orders"] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("data", "nobody", "--email", "a@b.c"), "no such shop"),
        (("data", "default"), "named by"),
        (("answer", "wh-9"), "no such request"),
    ],
)
def test_what_cannot_be_told_makes_no_file(
    orders: OrderStage, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    file = tmp_path / "data.json"
    with pytest.raises(PrivacyError, match=told):
        command(orders, *arguments, "--file", str(file))
    assert not file.exists()


def test_as_a_process_it_says_why_and_names_nobody(database_url: str, tmp_path: Path) -> None:
    file = str(tmp_path / "data.json")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "gateway", "privacy", "data", "nobody"),
            *("--email", "mum@x.org", "--file", file),
        ],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "there is no such shop\n")
