"""What a shop asks for about its customers' data: erasing it, or telling what there is."""

import json
from functools import partial

from sqlalchemy import Engine

from gateway.customers import Customer
from gateway.erasure import Erasure
from gateway.inbox import Unusable
from gateway.outbox import Courier
from gateway.personal_data import data_of_customer
from gateway.ports import Clock
from gateway.records import reading
from gateway.shopify_orders import Privacy
from gateway.shops import Shop

NO_WEBHOOK = "no_webhook"
"""Why a shop couldn't be told: a person has to do it (``python -m gateway privacy``)."""


def privacy_of(erasure: Erasure, engine: Engine, clock: Clock, courier: Courier) -> Privacy:
    """Return what ``gateway.shopify_orders`` does about customers' data."""
    return Privacy(
        erase_customer=erasure.erase_customer,
        tell_data=partial(tell_data, engine, clock, courier),
        erase_shop=erasure.erase_shop,
    )


def tell_data(
    engine: Engine, clock: Clock, courier: Courier, whose: Customer, message_id: str
) -> None:
    """Send the shop what is stored of a customer, as the webhook ``customer.data`` with this id.

    Raises:
        Unusable: the shop has no webhook. The request stays, for a person.
        gateway.outbox.DeliveryFailed: it didn't take it.
    """
    with reading(engine) as session:
        shop = session.get_one(Shop, whose.shop_id)
    if not shop.webhook_url or not shop.webhook_secret:
        raise Unusable(NO_WEBHOOK)
    body = {
        "type": "customer.data",
        "timestamp": clock.now().isoformat(),
        "data": {
            "customer_id": whose.customer_id,
            "email": whose.email,
            **data_of_customer(engine, whose),
        },
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    courier.deliver(shop.webhook_url, shop.webhook_secret, message_id, text)
