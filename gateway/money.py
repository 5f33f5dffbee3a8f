"""Amounts of money. Pure."""

from decimal import Decimal
from typing import Final

WHOLE_CURRENCIES: Final = frozenset({"JPY", "KRW", "VND", "CLP", "ISK"})
"""ISO 4217 currencies without a minor unit that a shop of ours may meet."""


def minor_units(amount: Decimal, currency: str) -> int:
    """Return an amount in the currency's minor unit: 19.99 USD are 1999."""
    return int(amount if currency in WHOLE_CURRENCIES else amount.scaleb(2))
