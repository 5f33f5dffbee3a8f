"""Who gets in at the order desk, and for how long."""

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.desk_tokens import DeskTokens
from gateway.desk_users import (
    DeskUserError,
    Role,
    add_user,
    set_disabled,
    set_password,
    set_role,
)
from gateway.order_records import DeskUser
from gateway.records import reading
from gateway.services import Services
from gateway.settings import Settings, SettingsError
from tests.gateway.clerk import PASSWORD, Clerk, audit, log_in
from tests.gateway.fakes import MovableClock
from tests.gateway.rendering import Stage


@pytest.fixture
def olga(stage: Stage) -> Clerk:
    return Clerk(stage.services, stage.client)


def test_name_and_password_give_a_token_that_opens_the_desk(olga: Clerk) -> None:
    assert olga.get("/orders").json() == {"orders": [], "next_cursor": None}


def test_whatever_is_wrong_at_a_login_the_answer_is_the_same(olga: Clerk, stage: Stage) -> None:
    engine = stage.services.engine
    add_user(engine, stage.services.clock, "gone", Role.VIEWER, PASSWORD)
    set_disabled(engine, "gone", disabled=True)
    answers = [
        log_in(stage.client, "olga", "not the password"),
        log_in(stage.client, "nobody"),
        log_in(stage.client, "gone"),
        log_in(stage.client, "OLGA"),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["code"] == "login_refused"


def test_a_login_ends_after_eight_hours(olga: Clerk, clock: MovableClock) -> None:
    clock.move(hours=7, minutes=59)
    assert olga.get("/orders").status_code == 200
    clock.move(minutes=2)
    answer = olga.get("/orders")
    assert (answer.status_code, answer.json()["code"]) == (401, "desk_session_over")


def test_disabling_a_new_password_and_logging_out_end_all_tokens(olga: Clerk, stage: Stage) -> None:
    engine = stage.services.engine
    set_disabled(engine, "olga", disabled=True)
    assert olga.get("/orders").status_code == 401
    set_disabled(engine, "olga", disabled=False)
    assert olga.get("/orders").status_code == 401
    olga.token = log_in(stage.client, "olga").json()["access_token"]
    set_password(engine, "olga", "another fine password")
    assert olga.get("/orders").status_code == 401
    assert log_in(stage.client, "olga").status_code == 401
    olga.token = log_in(stage.client, "olga", "another fine password").json()["access_token"]
    assert olga.post("/logout").status_code == 204
    assert olga.get("/orders").status_code == 401


def test_a_viewer_looks_and_an_operator_acts(stage: Stage) -> None:
    vera = Clerk(stage.services, stage.client, "vera", Role.VIEWER)
    assert vera.get("/orders").status_code == 200
    for action in ("approve", "cancel", "address", "pages/1/regenerate"):
        answer = vera.act("0" * 32, action)
        assert (answer.status_code, answer.json()["code"]) == (403, "desk_forbidden")
    set_role(stage.services.engine, "vera", Role.OPERATOR)
    assert vera.act("0" * 32, "approve").json()["code"] == "order_unknown"


def test_no_other_token_opens_the_desk(olga: Clerk, stage: Stage) -> None:
    assert stage.client.get("/desk/api/orders").json()["code"] == "token_required"
    header, claims, signature = olga.token.split(".")
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    more = json.loads(base64.urlsafe_b64decode(claims + "=="))
    other = base64.urlsafe_b64encode(json.dumps({**more, "sub": "root"}).encode()).decode()
    clock = stage.services.clock
    forged = DeskTokens(["x" * 40], timedelta(hours=8), clock).issue("olga", 1)[0]
    for token in (
        stage.order().token,
        forged,
        f"{unsigned}.{claims}.",
        f"{header}.{other.rstrip('=')}.{signature}",
        "a.b.c",
        "é",
        "x" * 5000,
    ):
        olga.token = token
        answer = olga.get("/orders")
        assert (answer.status_code, answer.json()["code"]) == (401, "desk_session_over"), token


def test_a_token_of_the_desk_opens_no_preview(olga: Clerk, stage: Stage) -> None:
    job = stage.order()
    headers = {"Authorization": f"Bearer {olga.token}"}
    answer = stage.client.get(f"/api/preview/{job.preview_id}", headers=headers)
    assert answer.json()["code"] == "preview_unknown"


def test_secrets_can_be_replaced_while_people_work(clock: MovableClock) -> None:
    life = timedelta(hours=8)
    old, new = "o" * 40, "n" * 40
    token, ends = DeskTokens([old], life, clock).issue("olga", 3)
    assert ends == clock.now() + life
    during = DeskTokens([new, old], life, clock)
    assert during.verify(token) is not None
    assert DeskTokens([new], life, clock).verify(token) is None
    assert DeskTokens([new], life, clock).verify(during.issue("olga", 3)[0]) is not None


def test_the_desks_secret_is_made_of_the_gateways_unless_it_is_set(
    settings: Settings, environ: dict[str, str]
) -> None:
    (derived,) = settings.desk_secrets
    assert settings.app_secret.get_secret_value() not in derived
    two = Settings.from_environ({**environ, "DESK_SECRET": f"{'a' * 32} {'b' * 32}"})
    assert two.desk_secrets == ["a" * 32, "b" * 32]
    for weak in ("short", " ", f"{'a' * 32} b"):
        with pytest.raises(SettingsError, match="DESK_SECRET"):
            Settings.from_environ({**environ, "DESK_SECRET": weak})


def test_logins_are_written_down_but_not_what_was_typed_as_a_name(
    olga: Clerk, stage: Stage
) -> None:
    log_in(stage.client, "olga", "wrong password")
    log_in(stage.client, PASSWORD)
    assert audit(stage.services) == [
        ("olga", "logged_in", None),
        ("olga", "login_refused", None),
    ]


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("Olga", PASSWORD),
        ("", PASSWORD),
        ("o/../l", PASSWORD),
        ("o" * 65, PASSWORD),
        ("olga", "eleven char"),
        ("olga", "x" * 257),
    ],
)
def test_names_and_passwords_have_a_form(services: Services, username: str, password: str) -> None:
    with pytest.raises(DeskUserError):
        add_user(services.engine, services.clock, username, Role.VIEWER, password)


def test_a_name_is_given_once_and_passwords_are_hashed(olga: Clerk, services: Services) -> None:
    with pytest.raises(DeskUserError, match="taken"):
        add_user(services.engine, services.clock, "olga", Role.VIEWER, PASSWORD)
    with reading(services.engine) as session:
        user = session.get_one(DeskUser, "olga")
    assert user.password.startswith("$argon2id$")
    assert PASSWORD not in user.password
    for change in (set_password, lambda e, n, _: set_role(e, n, Role.VIEWER)):
        with pytest.raises(DeskUserError, match="no such user"):
            change(services.engine, "nobody", PASSWORD)


def test_a_desk_with_a_short_login_ends_it_sooner(stage: Stage, clock: MovableClock) -> None:
    tokens = DeskTokens(["s" * 40], timedelta(seconds=60), clock)
    services = replace(stage.services, desk_tokens=tokens)
    token, _ = services.desk_tokens.issue("olga", 1)
    clock.move(seconds=59)
    assert tokens.verify(token) is not None
    clock.move(seconds=2)
    assert tokens.verify(token) is None
