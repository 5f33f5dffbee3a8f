"""The OpenAPI document, put together from what each http module says of its own routes.

How to describe routes: beside ``routes``, an http module has ``operations``, a list of
:class:`Operation` with one entry for each method and path (``{key:path}`` is written as
``{key}``)::

    operations = [
        Operation(
            method="post",
            path="/api/preview",
            operation_id="create_preview",
            summary="Ask for a preview",
            request_model=PreviewRequest,
            responses={202: Answer("The preview is queued.", PreviewAccepted)},
            parameters=(Parameter("Idempotency-Key", "header", "Makes a repetition safe."),),
            security="preview_token",
            problems=("photo_unknown", "book_unknown"),
        )
    ]

A test compares the document with the application's routes in both directions.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.errors import PROBLEMS

PROBLEM_TYPE = "application/problem+json"
_REF = "#/components/schemas/{model}"
_EVERYWHERE = ("internal",)
LIMITED = "/api/"
"""Everything under this path is limited in how often it may be called."""

_WITH_BODY = ("body_too_large",)
_PATH_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")


class ProblemField(BaseModel):
    """A field at fault."""

    field: str
    message: str


class ProblemDocument(BaseModel):
    """An error answer (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    errors: list[ProblemField] | None = None


@dataclass(frozen=True)
class Parameter:
    """A header or query parameter. ``schema`` is a JSON schema."""

    name: str
    place: Literal["header", "query", "path"]
    description: str
    required: bool = False
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True)
class Answer:
    """A good answer. Without ``model`` it has no JSON: an empty body, or ``media_type``.

    ``headers`` maps names of answer headers to their description.
    """

    description: str
    model: type[BaseModel] | None = None
    media_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    ``request_model`` is the JSON body; ``request_content`` replaces it by hand-written OpenAPI
    content for other media types. ``security``: ``preview_token`` (bearer header),
    ``preview_token_or_query`` (header or ``access_token``), ``webhook_signature``, ``desk_token``
    (of a login at the order desk) or None.
    ``problems`` are codes of ``gateway.errors.PROBLEMS``; ``internal`` and, where there is a
    body, ``body_too_large`` are added. ``tag`` groups operations on the human page.
    """

    method: Literal["get", "head", "post", "put", "patch", "delete"]
    path: str
    operation_id: str
    summary: str
    responses: Mapping[int, Answer]
    description: str = ""
    request_model: type[BaseModel] | None = None
    request_content: Mapping[str, Any] | None = None
    parameters: tuple[Parameter, ...] = ()
    security: (
        Literal["preview_token", "preview_token_or_query", "webhook_signature", "desk_token"] | None
    ) = None
    problems: tuple[str, ...] = ()
    tag: str = "Storefront"


_SECURITY_SCHEMES: dict[str, Any] = {
    "preview_token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The access_token that came with the preview.",
    },
    "preview_token_in_query": {
        "type": "apiKey",
        "in": "query",
        "name": "access_token",
        "description": "The same token, for an EventSource or a WebSocket.",
    },
    "desk_token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access_token of a login at the order desk.",
    },
    "webhook_signature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks signature; webhook-id and webhook-timestamp go with it.",
    },
}
_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "preview_token": [{"preview_token": []}],
    "preview_token_or_query": [{"preview_token": []}, {"preview_token_in_query": []}],
    "webhook_signature": [{"webhook_signature": []}],
    "desk_token": [{"desk_token": []}],
}


def document(operations: Iterable[Operation], *, server_url: str, version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of ``operations``."""
    listed = list(operations)
    requests, answers = _models(listed)
    _, definitions = models_json_schema(
        [(model, "validation") for model in requests]
        + [(model, "serialization") for model in answers],
        ref_template=_REF,
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in listed:
        paths.setdefault(openapi_path(operation.path), {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Foxetales gateway",
            "version": version,
            "description": "One photo in, personalised book pages out.",
        },
        "servers": [{"url": server_url}],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def openapi_path(path: str) -> str:
    """Return a Starlette path as OpenAPI writes it: ``/files/{key:path}`` is ``/files/{key}``."""
    return _PATH_PARAMETER.sub(r"{\1}", path)


def _models(
    operations: list[Operation],
) -> tuple[list[type[BaseModel]], list[type[BaseModel]]]:
    requests = {o.request_model: None for o in operations if o.request_model}
    answers: dict[type[BaseModel], None] = {ProblemDocument: None}
    for operation in operations:
        answers |= {a.model: None for a in operation.responses.values() if a.model}
    return list(requests), list(answers)


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": _answers(operation) | _problem_answers(operation),
    }
    if operation.description:
        described["description"] = operation.description
    if content := _request_content(operation):
        described["requestBody"] = {"required": True, "content": content}
    if operation.security:
        described["security"] = _SECURITY[operation.security]
    return described


def _request_content(operation: Operation) -> Mapping[str, Any] | None:
    if operation.request_model:
        return {"application/json": {"schema": _schema(operation.request_model)}}
    return operation.request_content


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    listed = [
        {
            "name": p.name,
            "in": p.place,
            "description": p.description,
            "required": p.required or p.place == "path",
            "schema": dict(p.schema),
        }
        for p in operation.parameters
    ]
    described = {p.name for p in operation.parameters if p.place == "path"}
    listed += [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_PARAMETER.findall(operation.path)
        if name not in described
    ]
    return listed


def _answers(operation: Operation) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, answer in sorted(operation.responses.items()):
        described: dict[str, Any] = {"description": answer.description}
        if answer.model:
            schema = _schema(answer.model)
            described["content"] = {answer.media_type or "application/json": {"schema": schema}}
        elif answer.media_type:
            described["content"] = {answer.media_type: {}}
        if answer.headers:
            described["headers"] = {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in answer.headers.items()
            }
        answers[str(status)] = described
    return answers


def _problem_answers(operation: Operation) -> dict[str, Any]:
    has_body = operation.request_model or operation.request_content
    codes = operation.problems + (_WITH_BODY if has_body else ()) + _EVERYWHERE
    if operation.path.startswith(LIMITED):
        codes += ("rate_limited",)
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(int(PROBLEMS[code][0]), []).append(code)
    schema = _schema(ProblemDocument)
    return {
        str(status): {
            "description": "; ".join(f"`{code}`: {PROBLEMS[code][1]}" for code in listed),
            "content": {
                PROBLEM_TYPE: {
                    "schema": {
                        "allOf": [schema, {"properties": {"code": {"enum": listed}}}],
                    }
                }
            },
        }
        for status, listed in sorted(by_status.items())
        if status not in operation.responses
    }


def _schema(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
