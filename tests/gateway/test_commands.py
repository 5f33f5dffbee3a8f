"""What an operator does at the command line."""

import io
import os
import subprocess
import sys

import pytest
from sqlalchemy import Engine

from gateway.commands import parser
from gateway.shops import ApiKeys, ShopError
from tests.gateway.fakes import MovableClock


def command(engine: Engine, clock: MovableClock, *arguments: str) -> str:
    """What a command prints."""
    given = parser().parse_args(["shop", *arguments])
    out = io.StringIO()
    given.run(given, engine, clock, out)
    return out.getvalue()


def process(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command as an operator types it, with nothing else in the environment."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_operator_makes_a_shop_and_its_key(engine: Engine, clock: MovableClock) -> None:
    name = ("--name", "Toys", "--shopify-domain", "Toys.myshopify.com")
    assert command(engine, clock, "add", "toys", *name) == ""
    key = command(engine, clock, "key", "toys").strip()
    assert ApiKeys(engine, clock).caller(key)
    changes = ("--approval", "--webhook-url", "https://toys.test/hook", "--currency", "eur")
    secret = command(engine, clock, "set", "toys", *changes).strip()
    assert secret.startswith("whsec_")
    listed = command(engine, clock, "list")
    assert "toys  Toys  toys.myshopify.com  EUR  https://toys.test/hook  approval" in listed
    assert secret not in listed
    key_id, hidden = key.split("_", 2)[1:]
    assert f"key {key_id}  made 2030-01-01  used 2030-01-01 12:00" in listed
    assert hidden not in listed
    command(engine, clock, "revoke", key_id)
    assert ApiKeys(engine, clock).caller(key) is None
    assert f"key {key_id}  made 2030-01-01  revoked" in command(engine, clock, "list")


def test_an_empty_value_removes_one_and_what_is_not_named_stays(
    engine: Engine, clock: MovableClock
) -> None:
    command(engine, clock, "add", "toys", "--name", "Toys", "--currency", "EUR", "--approval")
    command(engine, clock, "set", "toys", "--currency", "")
    assert "toys  Toys  approval" in command(engine, clock, "list")
    command(engine, clock, "set", "toys", "--no-approval")
    assert "approval" not in command(engine, clock, "list")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", "toys", "--name", "Toys", "--shopify-domain", "toys.example"), "myshopify"),
        (("add", "toys", "--name", "Toys", "--webhook-url", "http://toys.test"), "https"),
        *(
            (("add", "toys", "--name", "Toys", "--webhook-url", url), "the name of a host")
            for url in (
                "https://127.0.0.1/hook",
                "https://[::1]/hook",
                "https://169.254.169.254/latest",
                "https://2130706433/hook",
                "https://0x7f.0.0.0x1/hook",
                "https://localhost/hook",
                "https://user:word@toys.test/hook",
                "https://toys.test:99999/hook",
                "https:///hook",
                "https://toys.test/a\nb",
                "https://[::1",
            )
        ),
        (("add", "toys", "--name", "Toys", "--currency", "euro"), "4217"),
        (("add", "toys", "--name", "To\nys"), "printable"),
        (("set", "toys", "--name", ""), "printable"),
        (("add", "toys"), "--name"),
        ((), "required"),
    ],
)
def test_a_mistake_in_the_command_is_told(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["shop", *arguments])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_what_cannot_be_done_changes_nothing(engine: Engine, clock: MovableClock) -> None:
    before = command(engine, clock, "list")
    with pytest.raises(ShopError):
        command(engine, clock, "key", "nobody")
    with pytest.raises(ShopError):
        command(engine, clock, "add", "Toys", "--name", "Toys")
    assert command(engine, clock, "list") == before


def test_a_command_needs_nothing_but_the_database(database_url: str) -> None:
    made = process("shop", "key", "default", DATABASE_URL=database_url)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith("fox_")


def test_what_cannot_be_done_ends_with_a_line_and_status_1(database_url: str) -> None:
    done = process("shop", "key", "nobody", DATABASE_URL=database_url)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "there is no such shop\n")


def test_without_a_database_a_command_ends_with_status_2() -> None:
    done = process("migrate")
    assert (done.returncode, done.stderr) == (2, "DATABASE_URL: Field required\n")
