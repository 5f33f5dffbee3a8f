"""Shops call with their keys."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.records import Preview, reading
from gateway.services import Services
from gateway.shops import (
    DEFAULT_SHOP,
    ApiKey,
    ApiKeys,
    Shop,
    ShopError,
    add_shop,
    change_shop,
    list_shops,
    needs_approval,
    new_key,
    revoke_key,
)
from tests.gateway import pictures
from tests.gateway.fakes import MovableClock
from tests.gateway.rendering import BOOK, Stage

DATABASES = ("sqlite", "postgresql")


@pytest.fixture
def key(engine: Engine, clock: MovableClock) -> str:
    """A key of the shop ``toys``."""
    add_shop(engine, clock, Shop(shop_id="toys", name="Toys"))
    return new_key(engine, clock, "toys")


def key_id(key: str) -> str:
    return key.split("_")[1]


def test_a_key_tells_its_shop(engine: Engine, clock: MovableClock, key: str) -> None:
    caller = ApiKeys(engine, clock).caller(key)
    assert caller is not None
    assert (caller.shop_id, caller.key_id) == ("toys", key_id(key))


def test_a_key_has_256_random_bits_and_only_their_hash_is_kept(
    engine: Engine, clock: MovableClock, key: str
) -> None:
    _, identity, secret = key.split("_", 2)
    assert len(secret) == 43
    assert new_key(engine, clock, "toys") != key
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM api_keys")).all()
    assert identity in str(rows)
    assert secret not in str(rows)


@pytest.mark.parametrize("spoil", ["secret", "id", "shorter", "longer", "prefix", "empty", "odd"])
def test_a_key_that_is_not_quite_right_is_nobodys(
    engine: Engine, clock: MovableClock, key: str, spoil: str
) -> None:
    other = new_key(engine, clock, "toys")
    spoiled = {
        "secret": f"fox_{key_id(key)}_{other.split('_', 2)[2]}",
        "id": f"fox_{'0' * 16}_{key.split('_', 2)[2]}",
        "shorter": key[:-1],
        "longer": key + "A",
        "prefix": key.replace("fox_", "cat_"),
        "empty": "",
        "odd": "fox_\u00e9\udcff_\x00",
    }[spoil]
    assert ApiKeys(engine, clock).caller(spoiled) is None


def test_a_revoked_key_is_nobodys(engine: Engine, clock: MovableClock, key: str) -> None:
    revoke_key(engine, clock, key_id(key))
    assert ApiKeys(engine, clock).caller(key) is None


def test_a_running_gateway_notices_a_revocation_within_half_a_minute(
    engine: Engine, clock: MovableClock, key: str
) -> None:
    keys = ApiKeys(engine, clock)
    assert keys.caller(key)
    revoke_key(engine, clock, key_id(key))
    clock.move(seconds=29)
    assert keys.remembered(key)
    clock.move(seconds=1)
    assert keys.remembered(key) is None
    assert keys.caller(key) is None


def test_the_last_use_is_noted_once_a_minute(engine: Engine, clock: MovableClock, key: str) -> None:
    keys = ApiKeys(engine, clock)
    noted = []
    for _ in range(4):
        keys.caller(key)
        with reading(engine) as session:
            noted.append(session.get_one(ApiKey, key_id(key)).last_used_at)
        clock.move(seconds=31)
    start = noted[0]
    assert start is not None
    assert [(at - start).total_seconds() for at in noted if at] == [0, 0, 62, 62]


@pytest.mark.parametrize("shop_id", ["", "Toys", "-toys", "toys-", "to ys", "t" * 33, "../toys"])
def test_a_shop_id_of_another_form_is_refused(
    engine: Engine, clock: MovableClock, shop_id: str
) -> None:
    with pytest.raises(ShopError, match="letters"):
        add_shop(engine, clock, Shop(shop_id=shop_id, name="Toys"))


def test_two_shops_never_share_an_id_or_a_domain(engine: Engine, clock: MovableClock) -> None:
    add_shop(engine, clock, Shop(shop_id="a", name="A", shopify_domain="a.myshopify.com"))
    with pytest.raises(ShopError, match="taken"):
        add_shop(engine, clock, Shop(shop_id="a", name="Another"))
    with pytest.raises(ShopError, match="taken"):
        add_shop(engine, clock, Shop(shop_id="b", name="B", shopify_domain="a.myshopify.com"))
    add_shop(engine, clock, Shop(shop_id="b", name="B"))
    with pytest.raises(ShopError, match="another shop's"):
        change_shop(engine, "b", {"shopify_domain": "a.myshopify.com"})
    assert [shop.shop_id for shop, _ in list_shops(engine)] == ["a", "b", DEFAULT_SHOP]


def test_what_is_done_to_an_unknown_shop_or_key_is_refused(
    engine: Engine, clock: MovableClock
) -> None:
    for call in (
        lambda: new_key(engine, clock, "nobody"),
        lambda: revoke_key(engine, clock, "nobody"),
        lambda: change_shop(engine, "nobody", {"approval": True}),
    ):
        with pytest.raises(ShopError, match="no such"):
            call()


def test_a_shop_may_want_its_orders_approved(engine: Engine, clock: MovableClock) -> None:
    with reading(engine) as session:
        assert not needs_approval(session, DEFAULT_SHOP)
    change_shop(engine, DEFAULT_SHOP, {"approval": True})
    with reading(engine) as session:
        assert needs_approval(session, DEFAULT_SHOP)


def ask(client: TestClient, photo_id: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    body = {"photo_id": photo_id, "book_id": BOOK, "child_name": "Mia"}
    answer = client.post("/api/preview", json=body, headers=headers)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_preview_belongs_to_the_shop_whose_key_was_sent(
    stage: Stage, services: Services, key: str, header: str
) -> None:
    value = f"Bearer {key}" if header == "Authorization" else key
    status, answer = ask(stage.client, stage.photo(), {header: value})
    assert status == 202
    with reading(services.engine) as session:
        assert session.get_one(Preview, answer["preview_id"]).shop_id == "toys"


def test_a_preview_without_a_key_belongs_to_the_default_shop(
    stage: Stage, services: Services
) -> None:
    _, answer = ask(stage.client, stage.photo(), {})
    with reading(services.engine) as session:
        assert session.get_one(Preview, answer["preview_id"]).shop_id == DEFAULT_SHOP


def test_a_bad_key_is_refused_even_where_none_is_needed(stage: Stage, key: str) -> None:
    status, answer = ask(stage.client, stage.photo(), {"X-API-Key": key[:-2] + "xx"})
    assert (status, answer["code"]) == (401, "api_key_invalid")


def test_where_a_key_is_required_uploads_and_previews_need_one(
    stage: Stage, services: Services, key: str
) -> None:
    strict = replace(
        services, settings=services.settings.model_copy(update={"require_api_key": True})
    )
    client = TestClient(create_app(strict), base_url="http://gateway.test")
    photo = {"file": ("photo.jpg", pictures.encoded(pictures.portrait(), "JPEG"))}
    refused = client.post("/api/upload-photo", files=photo)
    assert (refused.status_code, refused.json()["code"]) == (401, "api_key_required")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    status, answer = ask(client, stage.photo(), {})
    assert (status, answer["code"]) == (401, "api_key_required")
    headers = {"X-API-Key": key}
    assert client.post("/api/upload-photo", files=photo, headers=headers).status_code == 200
    assert ask(client, stage.photo(), headers)[0] == 202
