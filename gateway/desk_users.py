"""The people at the order desk: who they are, what they may do, and how they prove it.

Passwords are kept as Argon2id hashes. Each check takes some 64 MiB and a tenth of a second, for a
name that nobody has, too: so names can't be told by the time that a refusal takes. Functions block.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from gateway.order_records import AuditEntry, DeskUser
from gateway.ports import Clock
from gateway.records import reading, writing

PASSWORD_MIN: Final = 12
PASSWORD_MAX: Final = 256
"""Characters of a password."""

_USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_hasher = PasswordHasher()


class Role(StrEnum):
    """What a person may do. An operator may do all that a viewer may."""

    VIEWER = "viewer"
    OPERATOR = "operator"

    def may(self, needed: "Role") -> bool:
        """Whether this role is enough where ``needed`` is wanted."""
        return self is Role.OPERATOR or needed is Role.VIEWER


class DeskUserError(Exception):
    """What is wanted of a desk user can't be done. The message is for the operator."""


def add_user(engine: Engine, clock: Clock, username: str, role: Role, password: str) -> None:
    """Let another person in.

    Raises:
        DeskUserError: the name isn't well formed or is taken, or the password is too short.
    """
    if not _USERNAME.fullmatch(username):
        raise DeskUserError(
            "a user name has 1 to 64 lower-case letters, digits and inner dots, hyphens or "
            "underscores"
        )
    user = DeskUser(
        username=username, password=_hashed(password), role=role, created_at=clock.now()
    )
    try:
        with writing(engine) as session:
            session.add(user)
    except IntegrityError:
        raise DeskUserError("the user name is taken") from None


def list_users(engine: Engine) -> Sequence[DeskUser]:
    """All users, by name."""
    with reading(engine) as session:
        return session.scalars(select(DeskUser).order_by(DeskUser.username)).all()


def set_role(engine: Engine, username: str, role: Role) -> None:
    """Change what a user may do, at once.

    Raises:
        DeskUserError: there is no such user.
    """
    with writing(engine) as session:
        _existing(session.get(DeskUser, username)).role = role


def set_disabled(engine: Engine, username: str, *, disabled: bool) -> None:
    """Lock a user out, or let one in again. Tokens that were given out are worthless afterwards.

    Raises:
        DeskUserError: there is no such user.
    """
    with writing(engine) as session:
        user = _existing(session.get(DeskUser, username, with_for_update=True))
        user.disabled = disabled
        user.token_epoch += 1


def set_password(engine: Engine, username: str, password: str) -> None:
    """Give a user another password. Tokens that were given out are worthless afterwards.

    Raises:
        DeskUserError: there is no such user, or the password is too short.
    """
    hashed = _hashed(password)
    with writing(engine) as session:
        user = _existing(session.get(DeskUser, username, with_for_update=True))
        user.password = hashed
        user.token_epoch += 1


def log_in(engine: Engine, clock: Clock, username: str, password: str) -> DeskUser | None:
    """Return the user if name and password are right, and the user isn't locked out.

    Both outcomes are noted for a user that there is. Of one that there isn't nothing is: what is
    typed as a name may be a password.
    """
    with reading(engine) as session:
        user = session.get(DeskUser, username)
    right = _is_right(user.password if user else _nobodys_hash(), password)
    if user is None:
        return None
    allowed = right and not user.disabled
    with writing(engine) as session:
        kept = session.get_one(DeskUser, username, with_for_update=True)
        if right and _hasher.check_needs_rehash(kept.password):
            kept.password = _hasher.hash(password)
        action = "logged_in" if allowed else "login_refused"
        session.add(AuditEntry(at=clock.now(), username=username, action=action))
    return user if allowed else None


def log_out(engine: Engine, clock: Clock, username: str) -> None:
    """End all tokens of a user."""
    with writing(engine) as session:
        user = _existing(session.get(DeskUser, username, with_for_update=True))
        user.token_epoch += 1
        session.add(AuditEntry(at=clock.now(), username=username, action="logged_out"))


def holder(engine: Engine, username: str, epoch: int) -> DeskUser | None:
    """Return the user whose token of this epoch still counts."""
    with reading(engine) as session:
        user = session.get(DeskUser, username)
    if user is None or user.disabled or user.token_epoch != epoch:
        return None
    return user


def _hashed(password: str) -> str:
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise DeskUserError(f"a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    return _hasher.hash(password)


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("nobody has this password")


def _is_right(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def _existing(user: DeskUser | None) -> DeskUser:
    if user is None:
        raise DeskUserError("there is no such user")
    return user
