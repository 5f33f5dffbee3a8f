"""Where a book goes, from what a payment provider was told. Pure.

What people type is made fit for a label, and never guessed at: an address that can't be used is
kept as it is, with a problem that the desk sees.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.mail_message import mail_address
from gateway.one_line import one_line
from gateway.ports import Address

ADDRESS_MISSING: Final = "address_missing"
ADDRESS_INCOMPLETE: Final = "address_incomplete"
ADDRESS_TOO_LONG: Final = "address_too_long"

LONGEST_LINE: Final = 100
"""Characters in one field. Printers take fewer in some; they say so themselves."""

_COUNTRY = re.compile(r"[A-Z]{2}")
_KEPT = 400
_PHONE_NOISE = re.compile(r"[^0-9+() ./-]")


@dataclass(frozen=True)
class ShipTo:
    """An address as it was given, if one was; and why it can't be used, if so."""

    address: Address | None
    problem: str | None


def from_stripe(details: Mapping[str, Any] | None, phone: object) -> ShipTo:
    """Read a Checkout Session's shipping details: ``name`` and ``address``."""
    if not details:
        return ShipTo(None, ADDRESS_MISSING)
    place = details.get("address") or {}
    return _checked(
        name=details.get("name"),
        line1=place.get("line1"),
        line2=place.get("line2"),
        city=place.get("city"),
        state=place.get("state"),
        postcode=place.get("postal_code"),
        country=place.get("country"),
        phone=details.get("phone") or phone,
    )


def from_shopify(shipping: Mapping[str, Any] | None, phone: object) -> ShipTo:
    """Read the ``shipping_address`` of an order of Shopify's."""
    if not shipping:
        return ShipTo(None, ADDRESS_MISSING)
    name = shipping.get("name") or " ".join(
        str(shipping.get(part) or "") for part in ("first_name", "last_name")
    )
    # A company's name has no field of its own on a label.
    company = shipping.get("company")
    line2 = ", ".join(str(part) for part in (company, shipping.get("address2")) if part)
    return _checked(
        name=name,
        line1=shipping.get("address1"),
        line2=line2,
        city=shipping.get("city"),
        state=shipping.get("province_code") or shipping.get("province"),
        postcode=shipping.get("zip"),
        country=shipping.get("country_code"),
        phone=shipping.get("phone") or phone,
    )


def email_of(value: object) -> str | None:
    """A mail address that a letter can go to, or None."""
    if not isinstance(value, str):
        return None
    try:
        return mail_address(value)
    except ValueError:
        return None


def _checked(**given: object) -> ShipTo:
    fields = {name: one_line(text) if isinstance(text, str) else "" for name, text in given.items()}
    fields["country"] = fields["country"].upper()
    fields["phone"] = one_line(_PHONE_NOISE.sub("", fields["phone"]))
    complete = all(fields[name] for name in ("name", "line1", "city"))
    problem = None
    if not complete or not _COUNTRY.fullmatch(fields["country"]):
        problem = ADDRESS_INCOMPLETE
    elif any(len(text) > LONGEST_LINE for text in fields.values()):
        problem = ADDRESS_TOO_LONG
    return ShipTo(Address(**{name: text[:_KEPT] for name, text in fields.items()}), problem)
