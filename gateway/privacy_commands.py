"""``python -m gateway privacy``: what an operator does about customers' requests for their data."""

import argparse
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Engine, select

from gateway.customers import Customer
from gateway.inbox import SHOPIFY
from gateway.order_records import InboxItem
from gateway.personal_data import data_of_customer
from gateway.ports import Clock
from gateway.records import reading, writing
from gateway.shopify_orders import DATA_REQUEST, requested_by
from gateway.shops import Shop

_TOLD = "told by an operator"


class PrivacyError(Exception):
    """What is wanted can't be done. The message is for the operator, and names nobody."""


def add_privacy_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add what follows ``privacy``."""
    commands.add_parser(
        "requests", help="list customers' requests for their data that a person has to answer"
    ).set_defaults(run=_requests)
    answer = commands.add_parser("answer", help="write what such a request asks for to a file")
    answer.add_argument("message_id", help="as the list shows it")
    _add_file(answer)
    answer.set_defaults(run=_answer)
    data = commands.add_parser("data", help="write what is stored of a customer to a file")
    data.add_argument("shop_id")
    data.add_argument("--customer-id", help="the shop's id of the customer")
    data.add_argument("--email")
    data.add_argument(
        "--order", action="append", default=[], help="Shopify's id of an order; may be repeated"
    )
    _add_file(data)
    data.set_defaults(run=_data)


def _add_file(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--file", type=Path, required=True, help="a new file, which only you can read"
    )


def _requests(_given: argparse.Namespace, engine: Engine, clock: Clock, out: TextIO) -> None:
    now = clock.now()
    with reading(engine) as session:
        waiting = session.scalars(
            select(InboxItem)
            .where(InboxItem.source == SHOPIFY, InboxItem.topic == DATA_REQUEST)
            .where(InboxItem.body.is_not(None), InboxItem.due_at.is_(None))
            .order_by(InboxItem.received_at)
        ).all()
    for item in waiting:
        days = (now - item.received_at).days
        facts = (item.message_id, item.shop_domain, f"{days} days old", item.outcome)
        print(f"{item.received_at:%Y-%m-%d %H:%M}", *facts, sep="  ", file=out)


def _answer(given: argparse.Namespace, engine: Engine, clock: Clock, out: TextIO) -> None:
    with reading(engine) as session:
        item = session.get(InboxItem, (SHOPIFY, given.message_id))
        if item is None or item.topic != DATA_REQUEST or item.body is None:
            raise PrivacyError("there is no such request, or it was answered")
        shop = session.scalar(select(Shop).where(Shop.shopify_domain == item.shop_domain))
        if shop is None:
            raise PrivacyError("the request's shop is no longer known")
        whose = requested_by(shop.shop_id, item.body)
    if whose is None:
        raise PrivacyError("the request names nobody")
    _write(given.file, clock.now(), data_of_customer(engine, whose), out)
    with writing(engine) as session:
        item = session.get_one(InboxItem, (SHOPIFY, given.message_id), with_for_update=True)
        item.body = item.due_at = item.claimed_until = None
        item.outcome = _TOLD


def _data(given: argparse.Namespace, engine: Engine, clock: Clock, out: TextIO) -> None:
    with reading(engine) as session:
        if session.get(Shop, given.shop_id) is None:
            raise PrivacyError("there is no such shop")
    try:
        whose = Customer(given.shop_id, given.customer_id, given.email, tuple(given.order))
    except ValueError as error:
        raise PrivacyError(str(error)) from None
    _write(given.file, clock.now(), data_of_customer(engine, whose), out)


def _write(path: Path, now: datetime, data: dict[str, Any], out: TextIO) -> None:
    """Write a new file, whole or not at all, that nobody but its owner reads."""
    text = json.dumps({"made_at": now.isoformat(), **data}, ensure_ascii=False, indent=2)
    try:
        # The mode counts from the first moment on; an existing file, or a link, is left alone.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise PrivacyError(f"the file can't be made: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        path.unlink(missing_ok=True)
        raise PrivacyError(f"the file can't be written: {error.strerror}") from None
    counts = f"{len(data['orders'])} orders, {len(data['previews'])} previews"
    print(f"written: {counts}", file=out)
