"""Who calls too often is told to wait; everybody else isn't."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network

import anyio
import pytest
from redis import Redis
from sqlalchemy import Engine
from starlette.testclient import TestClient

from gateway.adapters.kv_redis import open_redis
from gateway.adapters.rate_limits import MemoryRateLimiter, RedisRateLimiter
from gateway.app import create_app
from gateway.rate_limits import Count, Rate, RateLimiter, Rule, client_address
from gateway.services import Services
from gateway.settings import Settings, SettingsError
from gateway.shops import DEFAULT_SHOP, new_key, revoke_key
from tests.gateway.fakes import MovableClock
from tests.gateway.rendering import BOOK, Stage
from tests.servers import RedisServer

HOUR = 3600
PROXY = "10.0.0.7"
FAMILY = "203.0.113.5"

Limited = Callable[..., TestClient]


# who counts as one caller


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (FAMILY, "", FAMILY),
        (FAMILY, "198.51.100.1", FAMILY),  # not a proxy: what it says of others is its own idea
        (PROXY, "", PROXY),
        (PROXY, FAMILY, FAMILY),
        (PROXY, f"198.51.100.1, {FAMILY}", FAMILY),  # the first was there before our proxy
        (PROXY, f"198.51.100.1, {FAMILY}, 10.9.9.9", FAMILY),  # two of our proxies
        (PROXY, "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        (PROXY, f"{FAMILY}:4711", FAMILY),
        (PROXY, f"::ffff:{FAMILY}", FAMILY),
        (f"::ffff:{PROXY}", FAMILY, FAMILY),
        (PROXY, "[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::/64"),
        (PROXY, "2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        (PROXY, f"{FAMILY}, unknown", PROXY),  # our own proxy doesn't know who called it
        (PROXY, f"{FAMILY}, ", PROXY),
        (PROXY, "'; DROP TABLE", PROXY),
        ("testclient", FAMILY, "unknown"),
        (None, FAMILY, "unknown"),
    ],
)
def test_an_address_is_believed_as_far_as_our_own_proxies_wrote_it(
    peer: str | None, forwarded: str, address: str
) -> None:
    assert client_address(peer, forwarded, (ip_network("10.0.0.0/8"),)) == address


# how a rate is written


def test_a_rate_is_a_number_in_a_unit_of_time() -> None:
    assert Rate.parse("30/hour") == Rate(30, HOUR)
    assert Rate.parse("5/second") == Rate(5, 1)


@pytest.mark.parametrize(
    "text", ["", "30", "0/hour", "-1/hour", "30/week", "30/", "x/hour", "1.5/day"]
)
def test_a_rate_of_another_form_is_refused(environ: dict[str, str], text: str) -> None:
    with pytest.raises(ValueError, match="must be like"):
        Rate.parse(text)
    if text:
        with pytest.raises(SettingsError, match=r"^RATE_UPLOADS: "):
            Settings.from_environ(environ | {"RATE_UPLOADS": text})


def test_a_rule_may_be_off(environ: dict[str, str]) -> None:
    settings = Settings.from_environ(environ | {"RATE_UPLOADS": "off", "RATE_PAGES": "1/day"})
    assert Rule.UPLOADS not in settings.rates
    assert settings.rates[Rule.PAGES] == Rate(1, 86_400)
    assert set(settings.rates) == set(Rule) - {Rule.UPLOADS}


@pytest.mark.parametrize("networks", ["10.0.0.1/8", "proxy.internal", "10.0.0.0/8;::1"])
def test_a_wrong_network_is_refused(environ: dict[str, str], networks: str) -> None:
    with pytest.raises(SettingsError, match=r"^TRUSTED_PROXIES: "):
        Settings.from_environ(environ | {"TRUSTED_PROXIES": networks})


# counting


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[Redis]:
    with open_redis(redis_url) as client:
        yield client


@pytest.fixture(params=["memory", "redis"])
def limiter(request: pytest.FixtureRequest) -> RateLimiter:
    if request.param == "memory":
        return MemoryRateLimiter()
    return RedisRateLimiter(request.getfixturevalue("redis_client"))


def hits(limiter: RateLimiter, times: int, rule: Rule, caller: str) -> list[Count]:
    async def hit() -> list[Count]:
        return [await limiter.hit(rule, Rate(2, HOUR), caller) for _ in range(times)]

    return anyio.run(hit)


@pytest.mark.parametrize("rule", Rule)
def test_so_many_calls_are_allowed_and_no_more(limiter: RateLimiter, rule: Rule) -> None:
    counts = hits(limiter, 4, rule, "a")
    assert [count.allowed for count in counts] == [True, True, False, False]
    assert all(1 <= count.reset_s <= HOUR for count in counts)


def test_what_is_left_is_told(limiter: RateLimiter) -> None:
    assert [count.remaining for count in hits(limiter, 3, Rule.UPLOADS, "a")] == [1, 0, 0]


def test_callers_and_rules_are_counted_apart(limiter: RateLimiter) -> None:
    hits(limiter, 3, Rule.UPLOADS, "a")
    assert hits(limiter, 1, Rule.UPLOADS, "b")[0].allowed
    assert hits(limiter, 1, Rule.PREVIEWS, "a")[0].allowed


def test_two_gateways_count_together_in_redis(redis_client: Redis) -> None:
    hits(RedisRateLimiter(redis_client), 2, Rule.UPLOADS, "a")
    assert not hits(RedisRateLimiter(redis_client), 1, Rule.UPLOADS, "a")[0].allowed


def test_what_redis_counts_is_forgotten_with_its_window(redis_client: Redis) -> None:
    hits(RedisRateLimiter(redis_client), 1, Rule.UPLOADS, "a")
    (key,) = redis_client.scan_iter(match="foxetales:rate*")
    assert 0 < redis_client.ttl(key) <= HOUR


def test_without_redis_each_gateway_counts_by_itself_and_comes_back(redis: RedisServer) -> None:
    now = [0.0]
    with open_redis(redis.url) as client:
        client.flushall()
        limiter = RedisRateLimiter(client, monotonic=lambda: now[0])
        redis.stop()
        assert [c.allowed for c in hits(limiter, 3, Rule.UPLOADS, "a")] == [True, True, False]
        redis.start()
        now[0] = 4.9
        assert not hits(limiter, 1, Rule.UPLOADS, "a")[0].allowed
        now[0] = 5.0
        assert hits(limiter, 1, Rule.UPLOADS, "a")[0].allowed
        assert len(client.keys()) == 1


# at the edge


@pytest.fixture
def limited(services: Services) -> Limited:
    """Gives a browser at an address, of one gateway whose every rule allows two calls."""
    rates = {f"rate_{rule.value}": Rate(2, HOUR) for rule in Rule}
    changes = {**rates, "trusted_proxies": (ip_network("10.0.0.0/8"),)}
    settings = services.settings.model_copy(update=changes)
    app = create_app(replace(services, settings=settings, limiter=MemoryRateLimiter()))

    def browser(address: str = FAMILY) -> TestClient:
        return TestClient(app, base_url="http://gateway.test", client=(address, 4711))

    return browser


def ask(browser: TestClient, stage: Stage, **headers: str) -> int:
    body = {"photo_id": stage.photo(), "book_id": BOOK, "child_name": "Mia"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return browser.post("/api/preview", json=body, headers=named).status_code


def test_a_refusal_says_when_to_come_again(limited: Limited) -> None:
    browser = limited()
    for _ in range(2):
        assert browser.post("/api/upload-photo").status_code == 415
    refused = browser.post("/api/upload-photo")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= HOUR
    assert refused.headers["ratelimit-policy"] == '"uploads";q=2;w=3600'
    assert re.fullmatch(r'"uploads";r=0;t=\d+', refused.headers["ratelimit"])
    assert refused.headers["x-request-id"]


def test_every_answer_tells_what_is_left(limited: Limited) -> None:
    answer = limited().post("/api/upload-photo")
    assert answer.headers["ratelimit-policy"] == '"uploads";q=2;w=3600'
    assert re.fullmatch(r'"uploads";r=1;t=\d+', answer.headers["ratelimit"])


@pytest.mark.parametrize(
    "path",
    [
        "/api/upload-photo",
        "/api/preview",
        "/api/preview/some-job/retry",
        "/api/generate-page",
        "/api/checkout",
        "/desk/api/login",
    ],
)
def test_what_costs_something_is_limited(limited: Limited, path: str) -> None:
    browser = limited()
    statuses = [browser.post(path).status_code for _ in range(3)]
    assert statuses[2] == 429
    assert 429 not in statuses[:2]


def test_reads_are_limited_too(limited: Limited) -> None:
    browser = limited()
    answers = [browser.get("/api/books") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= HOUR


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/webhooks/runpod/status"),
        ("POST", "/webhooks/stripe"),
        ("POST", "/webhooks/shopify/order-paid"),
        ("GET", "/health"),
        ("GET", "/ready"),
        ("GET", "/files/photos/x.jpg"),
    ],
)
def test_webhooks_files_and_probes_are_never_limited(
    limited: Limited, method: str, path: str
) -> None:
    browser = limited()
    answers = [browser.request(method, path) for _ in range(6)]
    assert 429 not in {answer.status_code for answer in answers}


def test_addresses_are_counted_apart(limited: Limited) -> None:
    for _ in range(3):
        limited().post("/api/upload-photo")
    assert limited("203.0.113.6").post("/api/upload-photo").status_code == 415


def test_behind_a_proxy_the_caller_counts_and_cannot_lie(limited: Limited) -> None:
    proxy = limited(PROXY)

    def upload(forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        return proxy.post("/api/upload-photo", headers=headers).status_code

    assert [upload(f"192.0.2.{lie}, {FAMILY}") for lie in range(3)] == [415, 415, 429]
    assert upload("203.0.113.6") == 415


def test_a_preview_is_read_by_its_own_count(limited: Limited, stage: Stage) -> None:
    one, other = stage.order(), stage.order()
    browser = limited()
    path = "/api/preview-status"
    for _ in range(3):
        last = browser.get(f"{path}/{one.job_id}", headers=one.headers)
    assert last.status_code == 429
    assert browser.get(f"{path}/{other.job_id}", headers=other.headers).status_code == 200


def test_a_made_up_token_is_counted_by_its_address(limited: Limited) -> None:
    browser = limited()
    statuses = [
        browser.get("/api/books", headers={"Authorization": f"Bearer made-up-{n}"}).status_code
        for n in range(3)
    ]
    assert statuses == [200, 200, 429]


def test_a_previews_token_buys_no_further_previews(limited: Limited, stage: Stage) -> None:
    browser = limited()
    tokens = [stage.order().token for _ in range(3)]
    asked = [ask(browser, stage, Authorization=f"Bearer {token}") for token in tokens]
    assert asked == [202, 202, 429]


def test_a_shops_server_is_counted_by_its_key(
    limited: Limited, stage: Stage, engine: Engine, clock: MovableClock
) -> None:
    keys = [new_key(engine, clock, DEFAULT_SHOP) for _ in range(2)]
    server = limited()
    assert [ask(server, stage) for _ in range(3)] == [202, 202, 429]
    assert [ask(server, stage, X_API_Key=keys[0]) for _ in range(3)] == [202, 202, 429]
    assert ask(server, stage, X_API_Key=keys[1]) == 202


def test_bad_keys_are_counted_by_their_address(
    limited: Limited, stage: Stage, engine: Engine, clock: MovableClock
) -> None:
    key = new_key(engine, clock, DEFAULT_SHOP)
    revoke_key(engine, clock, key.split("_")[1])
    server = limited()
    assert [ask(server, stage, X_API_Key=key) for _ in range(3)] == [401, 401, 429]
