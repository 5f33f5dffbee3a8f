"""``python -m gateway config check`` says every fault at once, shows no secret, starts nothing."""

import io
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.findings import Finding, report, secrets_line
from contract.signing import new_secret
from gateway import config_command
from gateway.setting_check import check
from gateway.setting_reference import secret_names
from tests.config_check import config_check

STRONG = "kZ8v1qXoT4nB7yLwRc2mEd9sHj5gUf3a"
OTHER = "Qw3rTy6uIo9pAs2dFg5hJk8lZx1cVb4n"


ran = partial(config_check, "gateway")


@pytest.fixture
def good(environ: dict[str, str]) -> dict[str, str]:
    """What a shop with real customers might run with."""
    return {
        **environ,
        "PUBLIC_URL": "https://books.shop.example",
        "DATABASE_URL": "postgresql://gateway:hunter2@db.invalid/foxetales",
        "OBJECT_STORE_URL": "s3://books",
        "S3_ACCESS_KEY_ID": "an-id",
        "S3_SECRET_ACCESS_KEY": "hunter2",
        "PAGE_LOOK": "final",
        "APP_SECRET": STRONG,
        "RUNPOD_API_URL": "https://api.runpod.ai/v2",
        "RUNPOD_API_KEY": "rpa_hunter2",
        "RUNPOD_WEBHOOK_TOKEN": OTHER,
        "MAIL": "resend",
        "MAIL_FROM": "Foxetales <books@shop.example>",
        "RESEND_API_KEY": "re_hunter2",
        "PRINT_VENDOR": "lulu",
        "LULU_CLIENT_KEY": "lulu-key",
        "LULU_CLIENT_SECRET": "lulu-hunter2",
        "PRINT_CONTACT_EMAIL": "print@shop.example",
        "STRIPE_API_KEY": "sk_live_hunter2",
        "STRIPE_WEBHOOK_SECRETS": "whsec_hunter2",
        "CONSENT_REQUIRED": "true",
        "GPU_BUDGET_PAGES": "600",
    }


def test_an_empty_environment_is_told_all_that_is_missing() -> None:
    status, lines = ran({})
    assert status == 2
    missing = [line.split()[1] for line in lines if line.endswith(": is missing")]
    assert missing == [
        "PUBLIC_URL:",
        "DATABASE_URL:",
        "OBJECT_STORE_URL:",
        "APP_SECRET:",
        "CALLBACK_SECRET:",
        "RUNPOD_ENDPOINT_ID:",
        "RUNPOD_API_KEY:",
        "RUNPOD_WEBHOOK_TOKEN:",
    ]
    assert lines[0].startswith("not set: DATABASE_URL, ")


def test_a_good_environment_has_nothing_to_be_said_of(good: dict[str, str]) -> None:
    status, lines = ran(good)
    assert lines[1:] == ["nothing wrong, nothing risky"]
    assert status == 0
    assert lines[0].startswith("secrets set: DATABASE_URL, APP_SECRET, ")
    assert "hunter2" not in lines[0]


def test_nothing_is_started_or_made(good: dict[str, str], tmp_path: Path) -> None:
    local = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/made.db",
        "OBJECT_STORE_URL": f"file://{tmp_path}/objects-made",
        "RUNPOD_API_URL": "http://127.0.0.1:9/v2",
    }
    before = sorted(tmp_path.rglob("*"))
    status, lines = ran({**good, **local}, "--connect")
    assert status == 2  # nobody listens there
    assert [line.split(":")[0].split()[1] for line in lines if line.startswith("wrong")] == [
        "RUNPOD_ENDPOINT_ID"
    ]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PUBLIC_URL", "http://books.shop.example", "goes over http"),
        ("MAIL", "outbox", "no parent gets one"),
        ("PRINT_VENDOR", "file_drop", "somebody must print"),
        ("LULU_API_URL", "https://api.sandbox.lulu.com", "prints nothing"),
        ("PRINT_CONTACT_EMAIL", "print@foxetales.invalid", "is made up"),
        ("STRIPE_API_KEY", "sk_test_hunter2", "is a test key"),
        ("STRIPE_API_KEY", "", "nothing is sold"),
        ("ALLOW_TEST_PAYMENTS", "true", "no money"),
        ("CONSENT_REQUIRED", "false", "without a named consent"),
        ("GPU_BUDGET_PAGES", "0", "nothing limits"),
        ("DATABASE_URL", "sqlite:////tmp/x.db", "is SQLite"),
        ("OBJECT_STORE_URL", "file:///objects", "a folder of this machine"),
        ("TRUSTED_PROXIES", "0.0.0.0/0", "trusts so many"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,::/0", "trusts so many"),
        ("RATE_UPLOADS", "off", "is off"),
        ("APP_SECRET", "my-secret-for-the-gateway-0123456789", "made up by hand"),
        ("APP_SECRET", "a" * 40, "made up by hand"),
        ("DESK_SECRET", STRONG, "is the same as APP_SECRET"),
        ("RUNPOD_API_KEY", "hunter2", "doesn't look like"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_hunter2", "STRIPE_WEBHOOK_SECRETS is"),
        ("LOG_LEVEL", "DEBUG", "logs are long"),
    ],
)
def test_a_risk_is_named(good: dict[str, str], name: str, value: str, words: str) -> None:
    (finding,) = check({**good, name: value})
    assert (finding.level, finding.variable) == ("risky", name)
    assert words in finding.text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("hunter2   # of the dashboard", "has a comment behind it"),
        ("hunter2 ", "begins or ends with a space"),
        ('"hunter2"', "stands in quotes"),
        ("'hunter2'", "stands in quotes"),
        ("…", "was not filled in"),
    ],
)
@pytest.mark.parametrize("name", ["STRIPE_WEBHOOK_SECRETS", "S3_SECRET_ACCESS_KEY"])
def test_what_only_a_shell_would_take_away_is_wrong_in_a_file_of_variables(
    good: dict[str, str], name: str, value: str, words: str
) -> None:
    (finding,) = check({**good, name: value})
    assert (finding.level, finding.variable) == ("wrong", name)
    assert words in finding.text
    assert "hunter2" not in finding.text


@pytest.mark.parametrize(
    ("name", "value"),
    [("PUBLIC_URL", '"https://gateway.example"'), ("JOB_ATTEMPTS", '"3"'), ("MAIL", "'smtp'")],
)
def test_of_a_value_that_is_refused_too_its_quotes_are_told(
    good: dict[str, str], name: str, value: str
) -> None:
    wrong = [finding for finding in check({**good, name: value}) if finding.is_wrong]
    assert [finding.variable for finding in wrong] == [name]
    assert "stands in quotes" in wrong[0].text


def test_a_hash_or_a_quote_inside_a_value_is_nothing_to_be_said_of(good: dict[str, str]) -> None:
    told = {"STRIPE_WEBHOOK_SECRETS": "whsec_a#b", "MAIL_FROM": '"A, B" <a@shop.example>'}
    assert check({**good, **told}) == []


def test_drafts_for_the_shelf_are_a_risk(good: dict[str, str]) -> None:
    found = {each.variable: each.text for each in check({**good, "PAGE_LOOK": "draft"})}
    assert "are drafts" in found["PAGE_LOOK"]
    assert "LULU_API_URL" in found  # wrong: drafts don't go to a printer for money


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PUBLIC_URL", "books", "URL"),
        ("DATABASE_URL", "nonsense-hunter2", "can't be used"),
        ("DATABASE_URL", "mysql://gateway:hunter2@db/x", "can't be used"),
        ("KV_URL", "http://hunter2", "must begin with redis://"),
        ("OBJECT_STORE_URL", "ftp://somewhere", "file:///folder or s3://bucket"),
        ("S3_SECRET_ACCESS_KEY", "", "needs S3_SECRET_ACCESS_KEY"),
        ("BOOKS_DIR", "/nowhere", "no such folder"),
        ("APPEARANCES_PATH", "/nowhere.json", "no such file"),
        ("FACE_MODEL_PATH", "/nowhere.onnx", "no such file"),
        ("APP_SECRET", "hunter2", "at least 32 characters"),
        ("CALLBACK_SECRET", "whsec_hunter2", "callback secret"),
        ("MAIL", "pigeon", "'outbox'"),
        ("MAIL_FROM", "", "is required with MAIL=resend"),
        ("PRINT_PROFILE", "poster", "must be one of"),
        ("STRIPE_WEBHOOK_SECRETS", "", "is required with STRIPE_API_KEY"),
        ("PORT", "99999", "65535"),
        ("TRUSTED_PROXIES", "everybody", "must be networks"),
    ],
)
def test_a_fault_is_named(good: dict[str, str], name: str, value: str, words: str) -> None:
    wrong = [each for each in check({**good, name: value}) if each.is_wrong]
    at_fault = "OBJECT_STORE_URL" if name.startswith("S3_") else name
    assert [each.variable for each in wrong] == [at_fault]
    assert words in wrong[0].text
    assert "hunter2" not in wrong[0].text


def test_every_fault_is_told_at_once(good: dict[str, str]) -> None:
    status, lines = ran({**good, "APP_SECRET": "short", "PORT": "x", "BOOKS_DIR": "/nowhere"})
    assert status == 2
    assert {line.split()[1] for line in lines if line.startswith("wrong")} == {
        "APP_SECRET:",
        "PORT:",
        "BOOKS_DIR:",
    }
    assert lines[-1].startswith("3 wrong, ")


def test_books_that_cannot_be_read_are_wrong(good: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "books" / "torn").mkdir(parents=True)
    (tmp_path / "books" / "torn" / "book.json").write_text("{")
    (finding,) = check({**good, "BOOKS_DIR": str(tmp_path / "books")})
    assert (finding.level, finding.variable) == ("wrong", "BOOKS_DIR")


def test_only_what_is_wrong_is_not_asked_for_an_answer(good: dict[str, str]) -> None:
    left_out: list[Collection[str]] = []

    def connect(_: Mapping[str, str], known: Collection[str]) -> list[Finding]:
        left_out.append(known)
        return []

    told = {**good, "MAIL": "pigeon", "GPU_BUDGET_PAGES": "0"}  # the latter is a risk
    assert config_command.run(["check", "--connect"], told, io.StringIO(), connect) == 2
    assert left_out == [{"MAIL"}]


def test_a_risky_configuration_has_a_status_of_its_own(good: dict[str, str]) -> None:
    status, lines = ran({**good, "GPU_BUDGET_PAGES": "0"})
    assert (status, lines[-1]) == (1, "0 wrong, 1 risky")


class Lines(list[str]):
    """What a report was written to."""

    def write(self, text: str) -> None:
        self.append(text)


_PREFIXES = ("", "whsec_", "sk_test_", "redis://u:", "postgresql://u:", "smtp://u:", "sqlite:///")
_SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_SETTINGS
@given(
    name=st.sampled_from([*secret_names(), "S3_SECRET_ACCESS_KEY", "S3_ACCESS_KEY_ID"]),
    prefix=st.sampled_from(_PREFIXES),
    value=st.text("bcfgjkqvwxyzBCFGJKQVWXYZ23456789@:/?# ", min_size=8, max_size=60),
)
def test_no_secret_is_ever_shown(good: dict[str, str], name: str, prefix: str, value: str) -> None:
    environ = {**good, name: prefix + value, "CALLBACK_SECRET": new_secret(), "MAIL": "smtp"}
    output = Lines()
    output.write(secrets_line(secret_names(), environ))
    report(check(environ), output)
    shown = "".join(output)
    assert "hunter2" not in shown
    assert environ["CALLBACK_SECRET"] not in shown
    if len(value.strip()) >= 8:
        assert value.strip() not in shown
