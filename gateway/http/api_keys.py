"""Which shop calls: its API key, in ``Authorization: Bearer fox_…`` or ``X-API-Key``."""

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.requests import Request

from gateway.errors import Problem
from gateway.services import Services
from gateway.shops import DEFAULT_SHOP, KEY_PREFIX, Caller


async def calling_shop(request: Request) -> str:
    """Return the id of the shop that calls; ``default`` for a call without a key.

    Raises:
        Problem: ``api_key_invalid`` for a key that isn't good; ``api_key_required`` if there is
            none where the settings demand one.
    """
    services: Services = request.app.state.services
    key = presented_key(request.headers)
    if key is None:
        if services.settings.require_api_key:
            raise Problem("api_key_required", headers=_CHALLENGE)
        return DEFAULT_SHOP
    caller = await verified_caller(services, key)
    if caller is None:
        raise Problem("api_key_invalid", headers=_CHALLENGE)
    return caller.shop_id


def presented_key(headers: Headers) -> str | None:
    """Return the key that was sent, good or not; None if there is none."""
    if key := headers.get("x-api-key", "").strip():
        return key
    scheme, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token.startswith(KEY_PREFIX) else None


async def verified_caller(services: Services, key: str) -> Caller | None:
    """Return who calls with ``key``; None if it isn't a good one."""
    known = services.api_keys.remembered(key)
    return known or await anyio.to_thread.run_sync(services.api_keys.caller, key)


_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="foxetales shops"'}
