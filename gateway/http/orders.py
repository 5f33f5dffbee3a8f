"""Paid orders, as their parents see them."""

from functools import partial
from typing import Annotated, Final

import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from contract.types import Identifier
from gateway.errors import Problem
from gateway.http.auth import require_token
from gateway.http.ids import path_id
from gateway.http.openapi import Answer, Operation, Parameter
from gateway.http.shopify_proxy import PROXY_PARAMETERS, PROXY_PROBLEMS, verified_customer
from gateway.parent_orders import (
    CREATIONS_AT_A_TIME,
    CreationList,
    Download,
    ParentOrder,
    creations_of_customer,
    creations_of_session,
    customers_order,
    download,
    download_by_letter,
    parent_order,
)
from gateway.services import Services

FURTHER_TOKENS: Final = "X-Access-Tokens"
_MOST_TOKENS: Final = 50
_PRIVATE: Final = {"Cache-Control": "private, no-store"}


class CreationQuery(BaseModel):
    """Which part of the list is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: Identifier | None = None
    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: int = Field(default=CREATIONS_AT_A_TIME, ge=1, le=50)


async def get_order(request: Request) -> Response:
    """How an order is getting on."""
    services: Services = request.app.state.services
    preview_id = require_token(request)
    order_id = path_id(request, "order_id", "order_unknown")
    return json_answer(await anyio.to_thread.run_sync(parent_order, services, order_id, preview_id))


async def get_download(request: Request) -> Response:
    """Lead to the finished book, or with ``Accept: application/json`` tell the link."""
    services: Services = request.app.state.services
    preview_id = require_token(request)
    order_id = path_id(request, "order_id", "order_unknown")
    found = await anyio.to_thread.run_sync(download, services, order_id, preview_id)
    if "application/json" in request.headers.get("accept", ""):
        return json_answer(found)
    return RedirectResponse(found.url, 302, headers=_PRIVATE)


async def get_download_of_letter(request: Request) -> Response:
    """Lead from a letter's link to the finished book."""
    services: Services = request.app.state.services
    token = request.path_params["token"]
    found = await anyio.to_thread.run_sync(download_by_letter, services, token)
    return RedirectResponse(found.url, 302, headers=_PRIVATE)


async def get_creations(request: Request) -> Response:
    """The previews of a parent, of those whose tokens are shown."""
    services: Services = request.app.state.services
    require_token(request)
    query = CreationQuery.model_validate(dict(request.query_params))
    look = partial(
        creations_of_session,
        services,
        _tokens(request),
        query.session_id,
        query.cursor,
        query.limit,
    )
    return json_answer(await anyio.to_thread.run_sync(look))


async def get_customers_creations(request: Request) -> Response:
    """The previews of the customer who is logged in at the shop."""
    services: Services = request.app.state.services
    customer = await verified_customer(request)
    given = {name: request.query_params.get(name) for name in ("cursor", "limit")}
    query = CreationQuery.model_validate({n: v for n, v in given.items() if v is not None})
    look = partial(
        creations_of_customer,
        services,
        customer.shop_id,
        customer.customer_id,
        query.cursor,
        query.limit,
    )
    return json_answer(await anyio.to_thread.run_sync(look))


async def get_customers_order(request: Request) -> Response:
    """How an order of the customer who is logged in at the shop is getting on."""
    services: Services = request.app.state.services
    customer = await verified_customer(request)
    order_id = path_id(request, "order_id", "order_unknown")
    found = await anyio.to_thread.run_sync(
        customers_order, services, order_id, customer.shop_id, customer.customer_id
    )
    return json_answer(found)


def json_answer(document: BaseModel) -> Response:
    """A document that nobody keeps."""
    return Response(document.model_dump_json(), headers=_PRIVATE, media_type="application/json")


def _tokens(request: Request) -> list[str]:
    """The token of the Authorization header, and the further ones."""
    further = request.headers.get(FURTHER_TOKENS, "")
    tokens = [request.headers["authorization"].partition(" ")[2], *further.split(",")]
    tokens = [token.strip() for token in tokens if token.strip()]
    if len(tokens) > _MOST_TOKENS:
        fault = {"field": FURTHER_TOKENS, "message": f"must have at most {_MOST_TOKENS} tokens"}
        raise Problem("invalid_request", fields=[fault])
    return tokens


routes: list[BaseRoute] = [
    Route("/api/orders/{order_id}", get_order, methods=["GET"]),
    Route("/api/download/{order_id}", get_download, methods=["GET"]),
    Route("/d/{token}", get_download_of_letter, methods=["GET"]),
    Route("/api/my-creations", get_creations, methods=["GET"]),
    Route("/proxy/my-creations", get_customers_creations, methods=["GET"]),
    Route("/proxy/orders/{order_id}", get_customers_order, methods=["GET"]),
]

_TAG: Final = "Orders"
_TROUBLES: Final = ("rate_limited", "database_unavailable")
_ENDS: Final = ("download_not_ready", "download_over", "database_unavailable")
_LEADS = Answer("Leads to the file.", headers={"Location": "A link that lives for minutes."})

_PAGING: Final = (
    Parameter("cursor", "query", "The next_cursor of the answer before."),
    Parameter("limit", "query", "At most so many, 1–50.", schema={"type": "integer"}),
)

operations = [
    Operation(
        method="get",
        path="/api/orders/{order_id}",
        operation_id="get_order",
        summary="See how an order is getting on",
        responses={200: Answer("The order.", ParentOrder)},
        security="preview_token",
        problems=("token_required", "order_unknown", *_TROUBLES),
        tag=_TAG,
    ),
    Operation(
        method="get",
        path="/api/download/{order_id}",
        operation_id="download_book",
        summary="Download the finished book",
        description="With `Accept: application/json` the link is told instead.",
        responses={302: _LEADS, 200: Answer("The link.", Download)},
        parameters=(Parameter("Accept", "header", "application/json for the link as JSON."),),
        security="preview_token",
        problems=("token_required", "order_unknown", "rate_limited", *_ENDS),
        tag=_TAG,
    ),
    Operation(
        method="get",
        path="/d/{token}",
        operation_id="download_by_letter",
        summary="Download the finished book by the link of a letter",
        description="The link is good until the order's download_until.",
        responses={302: _LEADS},
        problems=("link_invalid", *_ENDS),
        tag=_TAG,
    ),
    Operation(
        method="get",
        path="/api/my-creations",
        operation_id="list_creations",
        summary="List a parent's previews, the newest first",
        description=(
            "A parent has those whose tokens are shown: one in the Authorization header, further "
            f"ones in `{FURTHER_TOKENS}`."
        ),
        responses={200: Answer("The previews.", CreationList)},
        parameters=(
            Parameter(FURTHER_TOKENS, "header", "Further tokens, by commas; 50 in all."),
            Parameter("session_id", "query", "Only previews of this session of the shop."),
            *_PAGING,
        ),
        security="preview_token",
        problems=("token_required", "invalid_request", *_TROUBLES),
        tag=_TAG,
    ),
    Operation(
        method="get",
        path="/proxy/my-creations",
        operation_id="list_customers_creations",
        summary="List the previews of a shop's customer",
        description="Through Shopify's app proxy: the customer is whoever is logged in there.",
        responses={200: Answer("The previews.", CreationList)},
        parameters=(*PROXY_PARAMETERS, *_PAGING),
        problems=(*PROXY_PROBLEMS, "invalid_request", "database_unavailable"),
        tag="Shopify",
    ),
    Operation(
        method="get",
        path="/proxy/orders/{order_id}",
        operation_id="get_customers_order",
        summary="See how an order of a shop's customer is getting on",
        description="Through Shopify's app proxy: the customer is whoever is logged in there.",
        responses={200: Answer("The order.", ParentOrder)},
        parameters=PROXY_PARAMETERS,
        problems=(*PROXY_PROBLEMS, "order_unknown", "database_unavailable"),
        tag="Shopify",
    ),
]
