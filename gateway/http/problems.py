"""From exceptions to application/problem+json: the only place where an error becomes an answer."""

import logging

from pydantic import ValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler

from gateway.errors import Problem
from gateway.http.route_name import route_of
from storage.errors import StoreError, StoreFull

logger = logging.getLogger(__name__)

_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


def problem_response(problem: Problem) -> Response:
    """The answer that tells ``problem``."""
    return JSONResponse(
        problem.body(),
        status_code=problem.status,
        headers={"Cache-Control": "no-store", **problem.headers},
        media_type="application/problem+json",
    )


def problem_from(error: Exception) -> Problem:
    """The problem that an exception amounts to; ``internal`` for one that nobody foresaw."""
    match error:
        case Problem():
            return error
        case ValidationError():
            return Problem("invalid_request", fields=_fields(error))
        case HTTPException():
            code = _HTTP_CODES.get(error.status_code, "invalid_request")
            return Problem(code, headers=error.headers)
        case StoreFull():
            return Problem("store_full")
        case StoreError():
            return Problem("store_unavailable", headers={"Retry-After": "5"})
        case OperationalError():
            return Problem("database_unavailable", headers={"Retry-After": "5"})
        case _:
            return Problem("internal")


def _fields(error: ValidationError) -> list[dict[str, str]]:
    return [
        {"field": ".".join(map(str, item["loc"])), "message": item["msg"]}
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    ]


async def _answer(request: Request, error: Exception) -> Response:
    problem = problem_from(error)
    if problem.status >= 500:
        # The exception's own text may carry what a customer sent: its type and place suffice.
        logger.error(
            "request failed",
            extra={"code": problem.code, "route": route_of(request.scope)},
            exc_info=error if problem.code == "internal" else None,
        )
    return problem_response(problem)


EXCEPTION_HANDLERS: dict[type[Exception] | int, ExceptionHandler] = dict.fromkeys(
    (Problem, ValidationError, HTTPException, StoreError, OperationalError, Exception), _answer
)
