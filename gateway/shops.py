"""Shops, and the API keys that their servers call with.

A key is ``fox_<key id>_<secret>``, shown once. Only the SHA-256 of the secret is kept: it has 256
random bits, so nobody can try them out, and a slow hash, which protects what people choose for
themselves, would only make each call slower. Functions block.
"""

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import Engine, ForeignKey, String, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.ports import Clock
from gateway.records import Record, id_column, reading, writing

DEFAULT_SHOP = "default"
"""The shop of whoever calls without a key. The schema comes with it."""

KEY_PREFIX = "fox_"
KEY_LIFE_IN_MEMORY = timedelta(seconds=30)
"""For so long a key that was good is taken without another look: revoking takes that long."""

_KEY = re.compile(r"fox_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_SHOP_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_REMEMBERED_KEYS = 1024
_USE_IS_NOTED_EVERY = timedelta(minutes=1)


class ShopError(Exception):
    """What is wanted of a shop can't be done. The message is for the operator."""


class Shop(Record):
    """A shop that sells books.

    ``approval`` says that its orders wait for the desk before they are printed. ``webhook_url`` is
    where it is told of its orders, signed with ``webhook_secret`` (Standard Webhooks).
    ``currency`` is ISO 4217, or None for the books' own.
    """

    __tablename__ = "shops"

    shop_id: Mapped[str] = mapped_column(id_column(), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    shopify_domain: Mapped[str | None] = mapped_column(String(255), unique=True)
    approval: Mapped[bool] = mapped_column(default=False)
    webhook_url: Mapped[str | None] = mapped_column(String(2048))
    webhook_secret: Mapped[str | None] = mapped_column(String(255))
    currency: Mapped[str | None] = mapped_column(String(3))
    created_at: Mapped[datetime]


class ApiKey(Record):
    """A shop's key. ``secret_sha256`` is the hash of its secret part, in hexadecimal."""

    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    shop_id: Mapped[str] = mapped_column(ForeignKey("shops.shop_id"), index=True)
    secret_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Caller:
    """Who called with a good key."""

    key_id: str
    shop_id: str


def add_shop(engine: Engine, clock: Clock, shop: Shop) -> None:
    """Keep a new shop.

    Raises:
        ShopError: its id isn't of lower-case letters, digits and hyphens, or it or its Shopify
            domain is taken.
    """
    if not _SHOP_ID.fullmatch(shop.shop_id):
        raise ShopError("a shop id has 1 to 32 lower-case letters, digits and inner hyphens")
    shop.created_at = clock.now()
    try:
        with writing(engine) as session:
            session.add(shop)
    except IntegrityError:
        raise ShopError("the shop id or the Shopify domain is taken") from None


def change_shop(engine: Engine, shop_id: str, changes: dict[str, object]) -> None:
    """Set columns of a shop.

    Raises:
        ShopError: there is no such shop, or another one has the Shopify domain.
    """
    try:
        with writing(engine) as session:
            shop = _existing(session.get(Shop, shop_id))
            for column, value in changes.items():
                setattr(shop, column, value)
    except IntegrityError:
        raise ShopError("the Shopify domain is another shop's") from None


def list_shops(engine: Engine) -> list[tuple[Shop, list[ApiKey]]]:
    """Return all shops by id, each with its keys from the oldest to the newest."""
    with reading(engine) as session:
        shops = session.scalars(select(Shop).order_by(Shop.shop_id)).all()
        keys = session.scalars(select(ApiKey).order_by(ApiKey.created_at)).all()
    return [(shop, [key for key in keys if key.shop_id == shop.shop_id]) for shop in shops]


def needs_approval(session: Session, shop_id: str) -> bool:
    """Return whether the desk approves a shop's orders before they are printed."""
    return _existing(session.get(Shop, shop_id)).approval


def new_key(engine: Engine, clock: Clock, shop_id: str) -> str:
    """Make another API key of a shop and return it: it can't be read again.

    Raises:
        ShopError: there is no such shop.
    """
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    with writing(engine) as session:
        _existing(session.get(Shop, shop_id))
        session.add(
            ApiKey(
                key_id=key_id,
                shop_id=shop_id,
                secret_sha256=_digest(secret),
                created_at=clock.now(),
            )
        )
    return f"fox_{key_id}_{secret}"


def revoke_key(engine: Engine, clock: Clock, key_id: str) -> None:
    """Make a key worthless. Running gateways notice within ``KEY_LIFE_IN_MEMORY``.

    Raises:
        ShopError: there is no such key.
    """
    with writing(engine) as session:
        key = session.get(ApiKey, key_id)
        if key is None:
            raise ShopError("there is no such key")
        key.revoked_at = key.revoked_at or clock.now()


class ApiKeys:
    """Verifies API keys. One for each gateway; threads may share it."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = Lock()
        self._good: OrderedDict[bytes, tuple[Caller, datetime]] = OrderedDict()

    def remembered(self, key: str) -> Caller | None:
        """Return who calls with ``key`` if it was verified a moment ago, without blocking."""
        caller, until = self._good.get(_fingerprint(key), (None, None))
        return caller if until is not None and until > self._clock.now() else None

    def caller(self, key: str) -> Caller | None:
        """Return who calls with ``key``; None if it isn't a good key."""
        known = self.remembered(key)
        if known is not None:
            return known
        parts = _KEY.fullmatch(key)
        if parts is None:
            return None
        found = self._verify(parts[1], parts[2])
        if found is not None:
            self._remember(key, found)
        return found

    def _verify(self, key_id: str, secret: str) -> Caller | None:
        now = self._clock.now()
        with reading(self._engine) as session:
            key = session.get(ApiKey, key_id)
        # Compared even for an unknown id, so that an id can't be told from the time it takes.
        stored = key.secret_sha256 if key else _digest("")
        right = hmac.compare_digest(stored, _digest(secret))
        if key is None or not right or key.revoked_at is not None:
            return None
        if key.last_used_at is None or now - key.last_used_at >= _USE_IS_NOTED_EVERY:
            with writing(self._engine) as session:
                session.execute(
                    update(ApiKey).where(ApiKey.key_id == key_id).values(last_used_at=now)
                )
        return Caller(key_id, key.shop_id)

    def _remember(self, key: str, caller: Caller) -> None:
        with self._lock:
            self._good[_fingerprint(key)] = (caller, self._clock.now() + KEY_LIFE_IN_MEMORY)
            if len(self._good) > _REMEMBERED_KEYS:
                self._good.popitem(last=False)


def _existing(shop: Shop | None) -> Shop:
    if shop is None:
        raise ShopError("there is no such shop")
    return shop


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _fingerprint(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()
