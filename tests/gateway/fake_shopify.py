"""What Shopify sends: webhooks and requests through the app proxy, signed."""

import hmac
import itertools
import json
from base64 import b64encode
from hashlib import sha256
from typing import Any

DOMAIN = "acme.myshopify.com"
SECRET = "shpss_secret"
ORDER = 9_007_199_254_740_993  # 2^53 + 1: a number that JavaScript can't hold
LINE = 13_000_000_000_000_000_001
_ids = itertools.count(1)


def line(preview_id: str | None, *, number: int = 0, **changes: Any) -> dict[str, Any]:
    """A line item; a book if it names a preview."""
    named = [{"name": "preview_id", "value": preview_id}] if preview_id is not None else []
    item = {
        "id": LINE + number,
        "sku": "FOX-10",
        "quantity": 1,
        "price": "39.00",
        "discount_allocations": [],
        "properties": [{"name": "Gift", "value": "yes"}, *named],
    }
    return item | changes


def order(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An order that is paid."""
    document = {
        "id": ORDER,
        "name": "#1001",
        "email": "parent@example.com",
        "test": False,
        "currency": "USD",
        "financial_status": "paid",
        "cancelled_at": None,
        "processed_at": "2030-01-01T13:30:00+02:00",
        "customer": {"id": 8_000_000_000_000_000_017, "email": "parent@example.com"},
        "shipping_address": {
            "first_name": "Thị Hồng",
            "last_name": "Nguyễn",
            "name": "Thị Hồng Nguyễn",
            "company": None,
            "address1": "1 Tràng Tiền",
            "address2": "Hoàn Kiếm",
            "city": "Hà Nội",
            "province": None,
            "province_code": None,
            "zip": "100000",
            "country_code": "VN",
            "phone": "+84 24 3933 0000",
        },
        "line_items": list(lines),
    }
    return document | changes


def refund(*lines: tuple[dict[str, Any], int], number: int = 1) -> dict[str, Any]:
    """A refund of so many of some line items; of money alone without any."""
    return {
        "id": 5_000_000_000_000_000_001 + number,
        "order_id": ORDER,
        "refund_line_items": [
            {"line_item_id": item["id"], "quantity": quantity, "line_item": item}
            for item, quantity in lines
        ],
        "transactions": [{"kind": "refund", "amount": "39.00"}],
    }


def headers(
    body: bytes,
    topic: str,
    *,
    domain: str = DOMAIN,
    secret: str = SECRET,
    webhook_id: str | None = None,
) -> dict[str, str]:
    """The headers of a webhook."""
    digest = hmac.new(secret.encode(), body, sha256).digest()
    return {
        "Content-Type": "application/json",
        "X-Shopify-Hmac-Sha256": b64encode(digest).decode(),
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": domain,
        "X-Shopify-Webhook-Id": webhook_id or f"webhook-{next(_ids)}",
        "X-Shopify-Event-Id": f"event-{next(_ids)}",
        "X-Shopify-Triggered-At": "2030-01-01T12:00:00Z",
    }


def text(document: dict[str, Any]) -> bytes:
    """A webhook's body."""
    return json.dumps(document, ensure_ascii=False).encode()


def proxied(query: dict[str, str], secret: str = SECRET) -> dict[str, str]:
    """The query of a request through the app proxy, with its signature."""
    joined = "".join(sorted(f"{name}={value}" for name, value in query.items()))
    return query | {"signature": hmac.new(secret.encode(), joined.encode(), sha256).hexdigest()}
