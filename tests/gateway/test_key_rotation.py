"""A secret is replaced in three starts of the gateway: the old one, both, the new one alone."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from contract.signing import new_secret
from gateway.app import create_app
from gateway.outside import Outside
from gateway.services import Services, assemble
from gateway.settings import Settings, SettingsError
from gateway.shops import KEY_LIFE_IN_MEMORY, Shop, add_shop, new_key, revoke_key
from tests.gateway.clerk import Clerk
from tests.gateway.fakes import MovableClock
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import Stage, page_png, progress

OLD = "the-old-secret-of-at-least-thirty-two-characters"
NEW = "the-new-secret-of-at-least-thirty-two-characters"

Restart = Callable[..., Services]


@pytest.fixture
def restart(services: Services, environ: dict[str, str]) -> Restart:
    """The gateway, started anew on the same database and store with other settings."""

    def restarted(**changes: str) -> Services:
        return assemble(
            Settings.from_environ(environ | changes),
            Outside(
                clock=services.clock,
                engine=services.engine,
                kv=services.kv,
                store=services.store,
                endpoint=services.endpoint,
                faces=services.faces,
                mailer=services.mailer,
                printer=services.printer,
                courier=services.orders.outbox.courier,
                fonts=services.orders.steps.binder.fonts,
                limiter=services.limiter,
            ),
        )

    return restarted


def browser(services: Services) -> TestClient:
    return TestClient(create_app(services), base_url="http://gateway.test")


def test_a_previews_token_counts_until_the_old_secret_is_gone(
    restart: Restart, stage: Stage
) -> None:
    job = stage.order()
    old, both, new = rotation(restart)
    token = old.tokens.issue(job.preview_id)
    path = f"/api/preview/{job.preview_id}"
    seen = {
        name: browser(services).get(path, headers={"Authorization": f"Bearer {token}"}).status_code
        for name, services in (("old", old), ("both", both), ("new", new))
    }
    assert seen == {"old": 200, "both": 200, "new": 404}


def test_while_both_secrets_count_the_new_one_signs(restart: Restart) -> None:
    _, both, new = rotation(restart)
    assert new.tokens.preview_id(both.tokens.issue("abc")) == "abc"
    assert new.download_links.order_id(letters_token(both)) == "order"
    assert both.tokens.issue("abc") == new.tokens.issue("abc")


def test_links_to_files_and_to_books_count_until_the_old_secret_is_gone(restart: Restart) -> None:
    old, both, new = rotation(restart)
    old.store.put("previews/a/page_01.jpg", page_png(), "image/jpeg")
    link = urlsplit(old.links.url("previews/a/page_01.jpg"))
    path = f"{link.path}?{link.query}"
    assert [browser(each).get(path).status_code for each in (old, both, new)] == [200, 200, 404]
    token = letters_token(old)
    assert [each.download_links.order_id(token) for each in (both, new)] == ["order", None]


def test_people_at_the_desk_stay_logged_in_where_its_secret_is_made_of_ours(
    restart: Restart,
) -> None:
    old, both, new = rotation(restart)
    olga = Clerk(old, browser(old))
    seen = []
    for services in (old, both, new):
        olga.client = browser(services)
        seen.append(olga.get("/orders").status_code)
    assert seen == [200, 200, 401]


@pytest.mark.parametrize("weak", ["short", " ", f"{NEW} short"])
def test_a_weak_secret_is_refused_beside_a_strong_one_too(restart: Restart, weak: str) -> None:
    with pytest.raises(SettingsError, match="APP_SECRET"):
        restart(APP_SECRET=weak)


def test_a_workers_callback_counts_until_the_old_secret_is_gone(
    restart: Restart, stage: Stage
) -> None:
    old, new = new_secret(), new_secret()
    stage.order()
    stage.dispatch()
    body = progress(stage.endpoint.submitted[-1], 0.2).model_dump_json().encode()
    seen = []
    for secrets in (old, f"{new} {old}", new):
        stage.client = browser(restart(CALLBACK_SECRET=secrets))
        seen.append([stage.post_signed(body, secret=each).status_code for each in (old, new)])
    assert seen == [[200, 401], [200, 200], [401, 200]]


def test_a_shops_old_key_counts_until_it_is_revoked(
    services: Services, stage: Stage, clock: MovableClock
) -> None:
    add_shop(services.engine, clock, Shop(shop_id="story-shop", name="Story Shop"))
    old = new_key(services.engine, clock, "story-shop")
    new = new_key(services.engine, clock, "story-shop")
    assert [taken(stage, key) for key in (old, new)] == [True, True]
    revoke_key(services.engine, clock, old.split("_")[1])
    clock.move(seconds=KEY_LIFE_IN_MEMORY.total_seconds())
    assert [taken(stage, key) for key in (old, new)] == [False, True]


def test_a_letters_link_that_is_sent_again_is_signed_by_the_new_secret(
    restart: Restart, orders: OrderStage
) -> None:
    order_id = orders.pay(orders.preview().preview_id)
    assert order_id
    _, both, new = rotation(restart)
    replace(orders, stage=Stage(both, orders.endpoint, browser(both))).run(order_id)
    link = both.download_links.url(order_id)
    assert browser(new).get(urlsplit(link).path, follow_redirects=False).status_code == 302


def rotation(restart: Restart) -> tuple[Services, Services, Services]:
    """The gateway before, during and after the rotation of its own secret."""
    return restart(APP_SECRET=OLD), restart(APP_SECRET=f"{NEW} {OLD}"), restart(APP_SECRET=NEW)


def letters_token(services: Services) -> str:
    return services.download_links.url("order").rpartition("/")[2]


def taken(stage: Stage, key: str) -> bool:
    """Whether a preview may be asked for with an API key."""
    body = {"photo_id": stage.photo(), "book_id": "moonlit-fox", "child_name": "Ada"}
    headers = {"Authorization": f"Bearer {key}"}
    return stage.client.post("/api/preview", json=body, headers=headers).status_code == 202
