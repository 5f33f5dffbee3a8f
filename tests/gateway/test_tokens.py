"""Bearer tokens of previews."""

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from gateway.download_links import DownloadLinks
from gateway.errors import Problem
from gateway.http.auth import require_token
from gateway.ids import new_id
from gateway.services import Services
from gateway.signers import signer
from gateway.tokens import Tokens

TOKENS = Tokens(["a secret of at least thirty-two characters"])


def request(client: TestClient, *, header: str = "", query: str = "") -> Request:
    headers = [(b"authorization", header.encode())] if header else []
    scope = {"type": "http", "headers": headers, "query_string": query.encode(), "app": client.app}
    return Request(scope)


def test_a_token_names_its_preview() -> None:
    preview_id = new_id()
    assert TOKENS.preview_id(TOKENS.issue(preview_id)) == preview_id


def test_the_same_preview_always_has_the_same_token() -> None:
    assert TOKENS.issue("abc") == TOKENS.issue("abc") != TOKENS.issue("abd")


@pytest.mark.parametrize("forged", ["", "abc", "abc.", ".", "abc.AAAA", "é.é", "abc." + "A" * 9000])
def test_a_forged_token_names_nothing(forged: str) -> None:
    assert TOKENS.preview_id(forged) is None


def test_another_previews_signature_does_not_fit() -> None:
    signature = TOKENS.issue("abc").rpartition(".")[2]
    assert TOKENS.preview_id(f"abd.{signature}") is None


def test_what_was_signed_for_one_purpose_is_worth_nothing_for_another() -> None:
    secrets = ["a secret of at least thirty-two characters"]
    letters = DownloadLinks("http://gateway.test", secrets)
    in_letter = letters.url("abc").rpartition("/")[2]
    assert letters.order_id(in_letter) == "abc"
    assert TOKENS.preview_id(in_letter) is None
    assert letters.order_id(TOKENS.issue("abc")) is None
    for one, other in (("preview-token", "file-link"), ("file-link", "download-link")):
        signature = signer(secrets, one).get_signature("abc")
        assert signer(secrets, one).verify_signature("abc", signature)
        assert not signer(secrets, other).verify_signature("abc", signature)


def test_another_secret_makes_other_tokens() -> None:
    assert TOKENS.preview_id(Tokens(["x" * 40]).issue("abc")) is None


def test_ids_are_long_and_never_alike() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(one) for one in ids} == {32}


def test_a_bearer_header_is_read(client: TestClient, services: Services) -> None:
    token = services.tokens.issue("abc")
    assert require_token(request(client, header=f"Bearer {token}")) == "abc"
    assert require_token(request(client, header=f"bearer  {token}")) == "abc"


def test_the_query_is_read_only_where_it_is_allowed(client: TestClient, services: Services) -> None:
    asked = request(client, query=f"access_token={services.tokens.issue('abc')}")
    assert require_token(asked, allow_query=True) == "abc"
    with pytest.raises(Problem, match="token_required"):
        require_token(asked)


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer", "Bearer "])
def test_a_request_without_a_token_is_asked_for_one(client: TestClient, header: str) -> None:
    with pytest.raises(Problem, match="token_required") as caught:
        require_token(request(client, header=header))
    assert caught.value.headers["WWW-Authenticate"].startswith("Bearer")
