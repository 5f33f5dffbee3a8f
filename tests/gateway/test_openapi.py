"""The OpenAPI document tells the whole API, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

import gateway
from gateway.app import create_app
from gateway.errors import PROBLEMS
from gateway.http.openapi import openapi_path
from gateway.services import Services


@pytest.fixture
def application(services: Services) -> Starlette:
    return create_app(services)


@pytest.fixture
def document(application: Starlette) -> dict[str, Any]:
    found: dict[str, Any] = application.state.openapi
    return found


def problem_codes(document: dict[str, Any]) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`: ", str(document["paths"])))


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_every_route_is_in_the_document_and_the_other_way_round(
    application: Starlette, document: dict[str, Any]
) -> None:
    routed = {
        (openapi_path(route.path), method.lower())
        for route in application.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    described = {
        (path, method)
        for path, methods in document["paths"].items()
        for method in methods
        if method != "head"
    }
    assert routed == described


def test_web_sockets_are_told_beside_their_sibling(
    application: Starlette, document: dict[str, Any]
) -> None:
    for route in application.routes:
        if isinstance(route, WebSocketRoute):
            parent, _, last = openapi_path(route.path).rpartition("/")
            assert f"/{last}" in document["paths"][parent]["get"]["description"]


def test_operation_ids_are_distinct(document: dict[str, Any]) -> None:
    ids = [
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
    ]
    assert len(ids) == len(set(ids))


def test_every_path_parameter_is_described(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))


def test_every_operation_may_fail_with_a_problem(document: dict[str, Any]) -> None:
    for methods in document["paths"].values():
        for operation in methods.values():
            content = operation["responses"]["500"]["content"]
            assert "application/problem+json" in content


def test_every_code_that_a_route_raises_is_told_somewhere(document: dict[str, Any]) -> None:
    anywhere = {"not_found", "method_not_allowed"}  # of any path and method that isn't a route
    assert set(PROBLEMS) - problem_codes(document) - anywhere == set()


def test_every_code_in_the_sources_is_a_known_one() -> None:
    used: set[str] = set()
    for path in Path(gateway.__file__).parent.rglob("*.py"):
        used |= set(re.findall(r'Problem\(\s*"(\w+)"', path.read_text()))
    assert used <= set(PROBLEMS)


def test_the_document_is_served(client: TestClient, document: dict[str, Any]) -> None:
    response = client.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json()["paths"].keys() == document["paths"].keys()
    assert response.json()["servers"] == [{"url": "http://gateway.test"}]
