"""Around every request: has this caller done that too often?

Plain ASGI, because every status poll passes through here. Webhooks, files, pages for people and
health checks are never limited.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import Problem
from gateway.http.api_keys import presented_key, verified_caller
from gateway.http.openapi import LIMITED
from gateway.http.problems import problem_response
from gateway.rate_limits import Count, Rate, Rule, client_address
from gateway.services import Services

_RULES = {
    "/api/upload-photo": Rule.UPLOADS,
    "/api/preview": Rule.PREVIEWS,
    "/api/generate-page": Rule.PAGES,
    "/api/checkout": Rule.CHECKOUTS,
    "/desk/api/login": Rule.LOGINS,
}
_RETRY = "/api/preview/"
_OF_SHOPS = frozenset({Rule.UPLOADS, Rule.PREVIEWS, Rule.CHECKOUTS})
_OF_PREVIEWS = frozenset({Rule.PAGES, Rule.READS})
"""These are counted for each preview: who has a token got it by a call that was counted."""


class RateLimits:
    """Refuses with ``rate_limited`` what a caller does too often.

    A caller is a shop's API key, the preview whose token was sent, or else an address. Answers
    to what is limited, but for reads that go well, tell the rule and what is left of it in the
    header fields ``RateLimit-Policy`` and ``RateLimit`` (IETF draft); refusals add
    ``Retry-After``.
    """

    def __init__(self, app: ASGIApp, *, services: Services) -> None:
        self._app = app
        self._services = services
        self._rates = services.settings.rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rule = _rule(scope) if scope["type"] == "http" else None
        if rule is None:
            await self._app(scope, receive, send)
            return
        rule, caller = await self._caller(rule, scope)
        rate = self._rates.get(rule)
        if rate is None:
            await self._app(scope, receive, send)
            return
        count = await self._services.limiter.hit(rule, rate, caller)
        if not count.allowed:
            await problem_response(_refusal(rule, rate, count))(scope, receive, send)
        elif rule is Rule.READS:
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _telling(send, rule, rate, count))

    async def _caller(self, rule: Rule, scope: Scope) -> tuple[Rule, str]:
        if rule in _OF_PREVIEWS:
            preview_id = self._preview_id(scope)
            if preview_id is not None:
                return rule, preview_id
        headers = Headers(scope=scope)
        if rule in _OF_SHOPS and (key := presented_key(headers)):
            shop = await verified_caller(self._services, key)
            if shop is not None:
                return Rule.SHOPS, shop.key_id
        client = scope.get("client")
        return rule, client_address(
            client[0] if client else None,
            ",".join(headers.getlist("x-forwarded-for")),
            self._services.settings.trusted_proxies,
        )

    def _preview_id(self, scope: Scope) -> str | None:
        for name, value in scope["headers"]:
            if name == b"authorization":
                token = value[7:] if value[:7].lower() == b"bearer " else b""
                return self._services.tokens.preview_id(token.strip().decode("latin-1"))
        return None


def _rule(scope: Scope) -> Rule | None:
    path: str = scope["path"]
    if scope["method"] in ("GET", "HEAD"):
        return Rule.READS if path.startswith(LIMITED) else None
    if scope["method"] == "POST" and path.startswith(_RETRY):
        return Rule.PAGES
    return _RULES.get(path)


def _refusal(rule: Rule, rate: Rate, count: Count) -> Problem:
    headers = {**_fields(rule, rate, count), "Retry-After": str(count.reset_s)}
    return Problem("rate_limited", f"Try again in {count.reset_s} seconds.", headers=headers)


def _telling(send: Send, rule: Rule, rate: Rate, count: Count) -> Send:
    async def send_told(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_fields(rule, rate, count))
        await send(message)

    return send_told


def _fields(rule: Rule, rate: Rate, count: Count) -> dict[str, str]:
    return {
        "RateLimit-Policy": f'"{rule}";q={rate.amount};w={rate.window_s}',
        "RateLimit": f'"{rule}";r={count.remaining};t={count.reset_s}',
    }
