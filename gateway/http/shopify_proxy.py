"""Requests that come through a shop's own domain: Shopify's app proxy signs them, and says which
customer is logged in."""

from datetime import timedelta
from typing import Final, NamedTuple

import anyio.to_thread
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.errors import Problem
from gateway.http.openapi import Answer, Operation, Parameter
from gateway.services import Services
from gateway.shopify_orders import shop_of
from gateway.shopify_signing import proxy_is_signed

LONGEST_AGE: Final = timedelta(minutes=5)
_LONGEST_NUMBER = 20

PROXY_PARAMETERS: Final = (
    Parameter("signature", "query", "Shopify's signature of all the others.", required=True),
    Parameter("timestamp", "query", "Seconds since the epoch.", required=True),
    Parameter("shop", "query", "The shop's domain at Shopify.", required=True),
    Parameter("logged_in_customer_id", "query", "The customer; empty if nobody is logged in."),
)
PROXY_PROBLEMS: Final = ("invalid_signature", "shop_unknown", "customer_required")


class VerifiedCustomer(NamedTuple):
    """A shop of ours, and a customer who is logged in there."""

    shop_id: str
    customer_id: str


class ProxyCheck(BaseModel):
    """The app proxy works; ``logged_in`` says whether a customer is."""

    shop_id: str
    logged_in: bool


async def verified_shop(request: Request) -> str:
    """Return the id of the shop through which a request came.

    Raises:
        Problem: ``invalid_signature`` if it isn't signed, or not just now; ``shop_unknown``.
    """
    services: Services = request.app.state.services
    query = request.query_params
    if not proxy_is_signed(services.settings.shopify_secrets, query.multi_items()):
        raise Problem("invalid_signature")
    timestamp = query.get("timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _LONGEST_NUMBER):
        raise Problem("invalid_signature")
    age_s = abs(services.clock.now().timestamp() - int(timestamp))
    if age_s > LONGEST_AGE.total_seconds():
        raise Problem("invalid_signature", "The request is too old.")
    domain = query.get("shop", "").lower()
    shop = await anyio.to_thread.run_sync(shop_of, services.engine, domain)
    if shop is None:
        raise Problem("shop_unknown")
    return shop.shop_id


async def verified_customer(request: Request) -> VerifiedCustomer:
    """Return the shop through which a request came, and the customer who is logged in there.

    Raises:
        Problem: ``customer_required`` if nobody is; and see :func:`verified_shop`.
    """
    shop_id = await verified_shop(request)
    customer_id = _customer_id(request)
    if customer_id is None:
        raise Problem("customer_required")
    return VerifiedCustomer(shop_id, customer_id)


async def ping(request: Request) -> Response:
    """Whether the app proxy is set up well."""
    shop_id = await verified_shop(request)
    answer = ProxyCheck(shop_id=shop_id, logged_in=_customer_id(request) is not None)
    return JSONResponse(answer.model_dump(), headers={"Cache-Control": "private, no-store"})


def _customer_id(request: Request) -> str | None:
    customer_id = request.query_params.get("logged_in_customer_id", "")
    well_formed = customer_id.isascii() and customer_id.isdigit()
    return customer_id if well_formed and len(customer_id) <= _LONGEST_NUMBER else None


routes: list[BaseRoute] = [Route("/proxy/ping", ping, methods=["GET"])]

operations = [
    Operation(
        method="get",
        path="/proxy/ping",
        operation_id="proxy_ping",
        summary="Check a shop's app proxy",
        description="For whoever sets the app proxy up: `/apps/…/ping` at the shop leads here.",
        responses={200: Answer("The signature is good.", ProxyCheck)},
        parameters=PROXY_PARAMETERS,
        problems=("invalid_signature", "shop_unknown", "database_unavailable"),
        tag="Shopify",
    )
]
