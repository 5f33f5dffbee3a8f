"""Telling a customer what is stored of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from gateway.customers import Customer, orders_of, previews_of
from gateway.order_records import Order
from gateway.records import Photo, Preview, reading
from gateway.removals import keys_of_preview


def data_of_customer(engine: Engine, whose: Customer) -> dict[str, Any]:
    """Return what is stored of a shop's customer, as JSON: ``orders`` and ``previews``."""
    with reading(engine) as session:
        orders = orders_of(session, whose, held=False)
        previews = previews_of(session, whose, orders, held=False)
        return {
            "orders": [_told_order(order) for order in orders],
            "previews": [_told_preview(session, preview) for preview in previews],
        }


def _told_order(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "source": order.source.value,
        "source_order": order.source_order,
        "status": order.status.value,
        "amount": order.amount,
        "currency": order.currency,
        "quantity": order.quantity,
        "paid_at": _moment(order.paid_at),
        "customer_id": order.customer_id,
        "email": order.email,
        "address": order.address,
        "dedication": order.dedication,
        "preview_id": order.preview_id,
        "download_until": _moment(order.download_until),
    }


def _told_preview(session: Session, preview: Preview) -> dict[str, Any]:
    photo = session.get_one(Photo, preview.photo_id)
    return {
        "preview_id": preview.preview_id,
        "book_id": preview.book_id,
        "child_name": preview.child_name,
        "child_age": preview.child_age,
        "child_gender": preview.child_gender,
        "appearance": preview.appearance,
        "session_id": preview.session_id,
        "created_at": _moment(preview.created_at),
        "expires_at": _moment(preview.expires_at),
        "photo": {
            "photo_id": photo.photo_id,
            "uploaded_at": _moment(photo.created_at),
            "consent": photo.consent,
            "removed_at": _moment(photo.removed_at),
            "expires_at": _moment(photo.expires_at),
        },
        "files": keys_of_preview(session, preview.preview_id),
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
