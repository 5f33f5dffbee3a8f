"""The order desk: /desk/api/*, for people who are logged in."""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar, get_args

import anyio.to_thread
from anyio import CapacityLimiter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from contract.keys import BookPart
from gateway import desk, desk_audit, desk_users, desk_views
from gateway.desk_schema import (
    AddressCorrection,
    AuditList,
    AuditQuery,
    Choose,
    DedicationChange,
    DeskSession,
    FileLink,
    Login,
    Nothing,
    OrderDetail,
    OrderList,
    OrderQuery,
    OrderRow,
    RefundNote,
    Regenerate,
    Resend,
    Why,
)
from gateway.desk_users import Role
from gateway.errors import Problem
from gateway.http.bodies import read_json
from gateway.http.ids import path_id
from gateway.http.openapi import Answer, Operation, Parameter
from gateway.services import Services
from gateway.stop_jobs import stop_cancelled

LOGIN_PATH: Final = "/desk/api/login"

_Body = TypeVar("_Body", bound=BaseModel)
_Act = Callable[[Services, str, str, _Body], OrderRow]
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="foxetales-desk"'}
# A check of a password takes 64 MiB: two at once, whoever tries.
_logins = CapacityLimiter(2)


async def post_login(request: Request) -> Response:
    """Give a token to somebody with a good password."""
    services: Services = request.app.state.services
    login = await read_json(request, Login)
    user = await anyio.to_thread.run_sync(
        desk_users.log_in,
        services.engine,
        services.clock,
        login.username,
        login.password,
        limiter=_logins,
    )
    if user is None:
        raise Problem("login_refused")
    token, ends = services.desk_tokens.issue(user.username, user.token_epoch)
    return _json(
        DeskSession(
            access_token=token, expires_at=ends, username=user.username, role=Role(user.role)
        )
    )


async def post_logout(request: Request) -> Response:
    """End all tokens of whoever asks."""
    services: Services = request.app.state.services
    username = await _person(request, Role.VIEWER)
    await anyio.to_thread.run_sync(desk_users.log_out, services.engine, services.clock, username)
    return Response(status_code=204, headers=_PRIVATE)


async def get_orders(request: Request) -> Response:
    """Orders, by state or by what they are called."""
    username = await _person(request, Role.VIEWER)
    query = OrderQuery.model_validate(dict(request.query_params))
    return await _told(request, partial(desk_views.list_orders, username=username, query=query))


async def get_order(request: Request) -> Response:
    """All of an order."""
    username = await _person(request, Role.VIEWER)
    order_id = path_id(request, "order_id", "order_unknown")
    look = partial(desk_views.order_detail, username=username, order_id=order_id)
    return await _told(request, look)


async def get_file(request: Request) -> Response:
    """A link to a part of the book."""
    username = await _person(request, Role.VIEWER)
    order_id = path_id(request, "order_id", "order_unknown")
    part = request.path_params["part"]
    if part not in get_args(BookPart):
        raise Problem("file_unknown")
    look = partial(desk_views.file_link, username=username, order_id=order_id, part=part)
    return await _told(request, look)


async def get_audit(request: Request) -> Response:
    """What was done at the desk: for operators."""
    await _person(request, Role.OPERATOR)
    query = AuditQuery.model_validate(dict(request.query_params))
    return await _told(request, partial(desk_audit.list_audit, query=query))


async def _told(request: Request, look: Callable[[Services], BaseModel]) -> Response:
    services: Services = request.app.state.services
    return _json(await anyio.to_thread.run_sync(look, services))


class _Action:
    """A route that does one thing to an order, for an operator: ``act`` gets what was sent."""

    def __init__(self, act: Callable[..., OrderRow], body: type[BaseModel]) -> None:
        self._act = act
        self._body = body

    async def __call__(self, request: Request) -> Response:
        services: Services = request.app.state.services
        username = await _person(request, Role.OPERATOR)
        order_id = path_id(request, "order_id", "order_unknown")
        arguments: list[object] = [username, order_id]
        if "page_number" in request.path_params:
            arguments.append(_page_number(request))
        body = await read_json(request, self._body)
        if self._body is not Nothing:
            arguments.append(body)
        row = await anyio.to_thread.run_sync(self._act, services, *arguments)
        await stop_cancelled(services.engine, services.clock, services.endpoint)
        return _json(row)


async def _person(request: Request, needed: Role) -> str:
    """Return the name of who asks.

    Raises:
        Problem: ``token_required``, ``desk_session_over``, or ``desk_forbidden`` where the role
            isn't enough.
    """
    services: Services = request.app.state.services
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem("token_required", headers=_CHALLENGE)
    claims = services.desk_tokens.verify(token.strip())
    if claims is None:
        raise Problem("desk_session_over", headers=_CHALLENGE)
    user = await anyio.to_thread.run_sync(
        desk_users.holder, services.engine, claims.username, claims.epoch
    )
    if user is None:
        raise Problem("desk_session_over", headers=_CHALLENGE)
    if not Role(user.role).may(needed):
        raise Problem("desk_forbidden")
    return user.username


def _page_number(request: Request) -> int:
    number: int = request.path_params["page_number"]
    if number > 999:
        raise Problem("page_unknown")
    return number


_PRIVATE: Final = {"Cache-Control": "private, no-store"}


def _json(document: BaseModel) -> Response:
    return Response(document.model_dump_json(), headers=_PRIVATE, media_type="application/json")


_ORDER: Final = "/desk/api/orders/{order_id}"
_PAGE: Final = f"{_ORDER}/pages/{{page_number:int}}"

# What an operator does: path, what does it, its body, operation id, summary, further problems.
_ACTIONS: Final[
    tuple[tuple[str, Callable[..., OrderRow], type[BaseModel], str, str, tuple[str, ...]], ...]
] = (
    (f"{_ORDER}/approve", desk.approve, Nothing, "approve_order", "Let an order be printed", ()),
    (f"{_ORDER}/retry", desk.retry, Nothing, "retry_order", "Let a parked order go on", ()),
    (f"{_ORDER}/hold", desk.hold, Why, "hold_order", "Keep an order from being printed", ()),
    (f"{_ORDER}/release", desk.release, Nothing, "release_order", "Take a hold away", ()),
    (f"{_ORDER}/cancel", desk.cancel, Why, "cancel_order", "Stop an order for good", ()),
    (f"{_ORDER}/resend", desk.resend, Resend, "resend_letter", "Send a letter once more", ()),
    (
        f"{_ORDER}/refund-note",
        desk.note_refund,
        RefundNote,
        "note_refund",
        "Note that money was given back elsewhere",
        (),
    ),
    (
        f"{_ORDER}/address",
        desk.correct_address,
        AddressCorrection,
        "correct_address",
        "Correct the shipping address",
        (),
    ),
    (
        f"{_ORDER}/dedication",
        desk.change_dedication,
        DedicationChange,
        "change_dedication",
        "Change the book's dedication",
        ("book_unprintable", "book_unknown"),
    ),
    (
        f"{_PAGE}/regenerate",
        desk.regenerate,
        Regenerate,
        "regenerate_page",
        "Have a page painted anew",
        ("page_unknown", "photo_unknown"),
    ),
    (
        f"{_PAGE}/choose",
        desk.choose,
        Choose,
        "choose_take",
        "Put another take of a page into the book",
        ("page_unknown",),
    ),
)

routes: list[BaseRoute] = [
    Route(LOGIN_PATH, post_login, methods=["POST"]),
    Route("/desk/api/logout", post_logout, methods=["POST"]),
    Route("/desk/api/orders", get_orders, methods=["GET"]),
    Route("/desk/api/audit", get_audit, methods=["GET"]),
    Route(_ORDER, get_order, methods=["GET"]),
    Route(f"{_ORDER}/files/{{part}}", get_file, methods=["GET"]),
    *(
        Route(path, _Action(act, body).__call__, methods=["POST"])
        for path, act, body, *_ in _ACTIONS
    ),
]

_TAG: Final = "Order desk"
_BODY: Final = ("invalid_request", "malformed_json", "unsupported_content_type")
_VIEWER: Final = ("token_required", "desk_session_over", "database_unavailable")
_OF_ORDERS: Final = ("order_unknown", "order_state", "order_erased")
_OPERATOR: Final = (*_VIEWER, "desk_forbidden", *_OF_ORDERS, *_BODY)

operations = [
    Operation(
        method="post",
        path=LOGIN_PATH,
        operation_id="log_in",
        summary="Log in to the order desk",
        description="An unknown name, a wrong password and a locked user get the same answer.",
        request_model=Login,
        responses={200: Answer("A token.", DeskSession)},
        problems=("login_refused", "rate_limited", "database_unavailable", *_BODY),
        tag=_TAG,
    ),
    Operation(
        method="post",
        path="/desk/api/logout",
        operation_id="log_out",
        summary="End all tokens of one's own",
        responses={204: Answer("They are worthless now.")},
        security="desk_token",
        problems=_VIEWER,
        tag=_TAG,
    ),
    Operation(
        method="get",
        path="/desk/api/orders",
        operation_id="list_orders",
        summary="List and search orders, the newest first",
        responses={200: Answer("The orders.", OrderList)},
        parameters=(
            Parameter("status", "query", "Only orders in this state."),
            Parameter(
                "q",
                "query",
                "An order id; the shop's number of it, such as #1001 or 1001; Stripe's session or "
                "payment; the printer's job; or a whole e-mail address.",
            ),
            Parameter("cursor", "query", "The next_cursor of the answer before."),
            Parameter("limit", "query", "At most so many, 1–100.", schema={"type": "integer"}),
        ),
        security="desk_token",
        problems=(*_VIEWER, "invalid_request"),
        tag=_TAG,
    ),
    Operation(
        method="get",
        path=_ORDER,
        operation_id="get_desk_order",
        summary="Look at an order: people, pages, history, print, letters, cost",
        description="Who looked, and when, is written down.",
        responses={200: Answer("The order.", OrderDetail)},
        security="desk_token",
        problems=(*_VIEWER, "order_unknown"),
        tag=_TAG,
    ),
    Operation(
        method="get",
        path=f"{_ORDER}/files/{{part}}",
        operation_id="get_order_file",
        summary="Get a link to a part of the assembled book",
        description="Parts are full_book, cover and screen_book.",
        responses={200: Answer("The link.", FileLink)},
        security="desk_token",
        problems=(*_VIEWER, "order_unknown", "file_unknown"),
        tag=_TAG,
    ),
    Operation(
        method="get",
        path="/desk/api/audit",
        operation_id="list_audit",
        summary="Read what was done at the desk, the newest first",
        description=(
            "For operators. Logins, looks at orders and at files, searches and actions; what was "
            "searched for and what was written isn't in it. Entries are kept for a year."
        ),
        responses={200: Answer("The entries.", AuditList)},
        parameters=(
            Parameter("order_id", "query", "Only entries about this order."),
            Parameter("username", "query", "Only what this person did."),
            Parameter("action", "query", "Only this action, such as order_viewed or cancelled."),
            Parameter("since", "query", "From this moment on (ISO 8601 with a timezone)."),
            Parameter("until", "query", "Before this moment."),
            Parameter("cursor", "query", "The next_cursor of the answer before."),
            Parameter("limit", "query", "At most so many, 1–100.", schema={"type": "integer"}),
        ),
        security="desk_token",
        problems=(*_VIEWER, "desk_forbidden", "invalid_request"),
        tag=_TAG,
    ),
    *(
        Operation(
            method="post",
            path=path,
            operation_id=operation_id,
            summary=summary,
            description="For operators. Who did it is written down.",
            request_model=body,
            responses={200: Answer("The order as it is now.", OrderRow)},
            security="desk_token",
            problems=(*_OPERATOR, *further),
            tag=_TAG,
        )
        for path, _, body, operation_id, summary, further in _ACTIONS
    ),
]
