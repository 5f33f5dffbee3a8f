"""Who works at the order desk is decided at the command line."""

import io
import sys

import pytest
from sqlalchemy import Engine

from gateway.commands import parser
from gateway.desk_users import DeskUserError, Role, log_in
from tests.gateway.fakes import MovableClock

PASSWORD = "correct horse battery"


def command(engine: Engine, clock: MovableClock, *arguments: str) -> str:
    """What a command prints."""
    given = parser().parse_args(["user", *arguments])
    out = io.StringIO()
    given.run(given, engine, clock, out)
    return out.getvalue()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written into the command's input."""
    text = io.StringIO(f"{PASSWORD}\n")
    monkeypatch.setattr(sys, "stdin", text)
    return text


def test_people_are_let_in_changed_and_locked_out(
    engine: Engine, clock: MovableClock, typed: io.StringIO
) -> None:
    assert command(engine, clock, "add", "olga", "--role", "operator") == ""
    user = log_in(engine, clock, "olga", PASSWORD)
    assert user is not None
    assert user.role == Role.OPERATOR
    command(engine, clock, "role", "olga", "--role", "viewer")
    assert command(engine, clock, "list") == "olga  viewer\n"
    command(engine, clock, "disable", "olga")
    assert log_in(engine, clock, "olga", PASSWORD) is None
    assert command(engine, clock, "list") == "olga  viewer  locked out\n"
    command(engine, clock, "enable", "olga")
    assert log_in(engine, clock, "olga", PASSWORD) is not None


def test_a_new_password_replaces_the_old_one(
    engine: Engine, clock: MovableClock, typed: io.StringIO
) -> None:
    command(engine, clock, "add", "olga")
    typed.seek(0)
    typed.truncate()
    typed.write("another fine password\n")
    typed.seek(0)
    command(engine, clock, "password", "olga")
    assert log_in(engine, clock, "olga", PASSWORD) is None
    assert log_in(engine, clock, "olga", "another fine password") is not None


def test_a_password_is_never_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["user", "add", "olga", "--password", PASSWORD])
    assert "unrecognized" in capsys.readouterr().err


def test_a_command_about_nobody_says_so(
    engine: Engine, clock: MovableClock, typed: io.StringIO
) -> None:
    for arguments in (("role", "nobody", "--role", "viewer"), ("disable", "nobody")):
        with pytest.raises(DeskUserError, match="no such user"):
            command(engine, clock, *arguments)
    typed.seek(0)
    with pytest.raises(DeskUserError, match="no such user"):
        command(engine, clock, "password", "nobody")
