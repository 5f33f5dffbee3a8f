"""What a shop asks for about its customers' data: erasing it, or telling what there is."""

import json
from collections.abc import Sequence

from sqlalchemy import select

from gateway import privacy
from gateway.order_records import Order, Source
from gateway.outbox import Courier
from gateway.records import Preview, reading
from gateway.services import Services
from gateway.shopify_orders import Privacy
from gateway.shops import Shop


class NoWebhook(Exception):
    """The shop has no address to which data could be told: its operator has to do it."""


def privacy_of(services: Services, courier: Courier) -> Privacy:
    """Return what ``gateway.shopify_orders`` does about customers' data."""

    def erase(shop_id: str, customer_id: str | None, email: str | None) -> None:
        privacy.erase_customer(services, shop_id, customer_id=customer_id, email=email)

    def tell(shop_id: str, customer_id: str | None, email: str | None, message_id: str) -> None:
        tell_data(services, courier, shop_id, customer_id, email, message_id)

    def erase_all(shop_id: str) -> None:
        for customer_id, email in _customers(services, shop_id):
            erase(shop_id, customer_id, email)

    return Privacy(erase_customer=erase, tell_data=tell, erase_shop=erase_all)


def tell_data(
    services: Services,
    courier: Courier,
    shop_id: str,
    customer_id: str | None,
    email: str | None,
    message_id: str,
) -> None:
    """Send the shop what is stored of a customer, as the webhook ``customer.data`` with this id.

    Raises:
        NoWebhook: the shop has no webhook.
        gateway.outbox.DeliveryFailed: it didn't take it.
    """
    with reading(services.engine) as session:
        shop = session.get_one(Shop, shop_id)
    if not shop.webhook_url or not shop.webhook_secret:
        raise NoWebhook
    data = privacy.data_of_customer(services, shop_id, customer_id=customer_id, email=email)
    body = {
        "type": "customer.data",
        "timestamp": services.clock.now().isoformat(),
        "data": {"customer_id": customer_id, "email": email, **data},
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    courier.deliver(shop.webhook_url, shop.webhook_secret, message_id, text)


def _customers(services: Services, shop_id: str) -> Sequence[tuple[str | None, str | None]]:
    """Whom the shop's orders and previews name, by the shop's id of them and mail address."""
    with reading(services.engine) as session:
        bought = session.execute(
            select(Order.customer_id, Order.email)
            .where(Order.shop_id == shop_id, Order.source == Source.SHOPIFY)
            .distinct()
        ).all()
        looked = session.scalars(
            select(Preview.customer_id)
            .where(Preview.shop_id == shop_id, Preview.customer_id.is_not(None))
            .distinct()
        ).all()
    named = [(customer_id, email) for customer_id, email in bought if customer_id or email]
    return [*named, *((customer_id, None) for customer_id in looked)]
