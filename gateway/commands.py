"""What an operator may do at the command line: ``python -m gateway COMMAND``.

Only the database is needed for these, named by ``DATABASE_URL``.
"""

import argparse
import getpass
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from sqlalchemy import Engine

from contract.signing import new_secret
from gateway import inbox, outbox
from gateway.backup import back_up
from gateway.desk_users import (
    Role,
    add_user,
    list_users,
    set_disabled,
    set_password,
    set_role,
)
from gateway.ports import Clock
from gateway.privacy_commands import add_privacy_commands
from gateway.shops import Shop, add_shop, change_shop, list_shops, new_key, revoke_key

_CURRENCY = re.compile(r"[A-Za-z]{3}")
_HOST = re.compile(r"([a-z0-9_-]+\.)+[a-z][a-z0-9-]*[a-z0-9]")
_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")


class NoSuchMessage(Exception):
    """There is nothing to be tried again. The message is for the operator."""


Run = Callable[[argparse.Namespace, Engine, Clock, TextIO], None]


def parser() -> argparse.ArgumentParser:
    """Return the parser; of what it parsed, ``run`` is the function to call, or None to serve."""
    root = argparse.ArgumentParser(prog="python -m gateway", description="The Foxetales gateway.")
    root.set_defaults(run=None)
    commands = root.add_subparsers(title="commands", metavar="")
    commands.add_parser("serve", help="serve until a signal ends it (the default)")
    commands.add_parser("config", help="check what is configured, without starting anything")
    migrate = commands.add_parser("migrate", help="bring the database up to date")
    migrate.set_defaults(run=_migrated)
    copy = commands.add_parser(
        "backup", help="copy the database, while gateways work on it (SQLite)"
    )
    copy.add_argument("target", type=Path, help="the file to be written; it must not be there")
    copy.set_defaults(run=_backed_up)
    shop = commands.add_parser("shop", help="shops and their API keys")
    _add_shop_commands(shop.add_subparsers(title="commands", metavar="", required=True))
    user = commands.add_parser("user", help="people at the order desk")
    _add_user_commands(user.add_subparsers(title="commands", metavar="", required=True))
    privacy = commands.add_parser("privacy", help="customers' requests for their data")
    add_privacy_commands(privacy.add_subparsers(title="commands", metavar="", required=True))
    for name, text, run_list, run_replay in (
        ("inbox", "webhooks that came and weren't dealt with", _inbox_list, _inbox_replay),
        ("outbox", "letters and webhooks that didn't leave", _outbox_list, _outbox_replay),
    ):
        box = commands.add_parser(name, help=text)
        actions = box.add_subparsers(title="commands", metavar="", required=True)
        actions.add_parser("list", help=f"list {text}").set_defaults(run=run_list)
        again = actions.add_parser("replay", help="try one again, soon")
        if name == "inbox":
            again.add_argument("source", help="stripe, shopify or printer")
        again.add_argument("message_id", help="as the list shows it")
        again.set_defaults(run=run_replay)
    return root


def _add_shop_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add = commands.add_parser("add", help="add a shop")
    add.add_argument("shop_id", help="lower-case letters, digits, hyphens")
    _add_columns(add, name_required=True)
    add.set_defaults(run=_add)
    change = commands.add_parser("set", help="change a shop; an empty value removes one")
    change.add_argument("shop_id")
    _add_columns(change, name_required=False)
    change.set_defaults(run=_set)
    commands.add_parser("list", help="list shops and keys").set_defaults(run=_list)
    key = commands.add_parser("key", help="make another API key; it is shown this once")
    key.add_argument("shop_id")
    key.set_defaults(run=_key)
    revoke = commands.add_parser("revoke", help="make an API key worthless")
    revoke.add_argument("key_id", help="the middle part of fox_…_…, as the list shows it")
    revoke.set_defaults(run=_revoke)


def _add_user_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add = commands.add_parser("add", help="let somebody in; the password is asked for")
    add.add_argument("username", help="lower-case letters, digits, inner dots and hyphens")
    _add_role(add)
    add.set_defaults(run=_user_add)
    commands.add_parser("list", help="list who may log in").set_defaults(run=_user_list)
    role = commands.add_parser("role", help="change what somebody may do")
    role.add_argument("username")
    _add_role(role)
    role.set_defaults(run=_user_role)
    for name, disabled, told in (
        ("disable", True, "lock somebody out, at once"),
        ("enable", False, "let somebody in again"),
    ):
        command = commands.add_parser(name, help=told)
        command.add_argument("username")
        command.set_defaults(run=_user_disable, disabled=disabled)
    password = commands.add_parser("password", help="set another password; it is asked for")
    password.add_argument("username")
    password.set_defaults(run=_user_password)


def _add_role(command: argparse.ArgumentParser) -> None:
    command.add_argument("--role", type=Role, choices=list(Role), default=Role.VIEWER)


def _add_columns(command: argparse.ArgumentParser, *, name_required: bool) -> None:
    command.add_argument("--name", required=name_required, type=_name)
    command.add_argument("--shopify-domain", type=_shopify_domain, metavar="NAME.myshopify.com")
    command.add_argument(
        "--approval",
        action=argparse.BooleanOptionalAction,
        help="orders wait for the desk before they are printed",
    )
    command.add_argument("--currency", type=_currency, metavar="EUR")
    command.add_argument(
        "--webhook-url", type=_webhook_url, help="told of orders; a secret is made and shown"
    )


def _migrated(_given: argparse.Namespace, _engine: Engine, _clock: Clock, out: TextIO) -> None:
    print("The database is up to date.", file=out)


def _backed_up(given: argparse.Namespace, engine: Engine, _: Clock, out: TextIO) -> None:
    back_up(engine, given.target)
    print(f"The copy is {given.target}.", file=out)


def _add(given: argparse.Namespace, engine: Engine, clock: Clock, out: TextIO) -> None:
    columns = _columns(given)
    add_shop(engine, clock, Shop(shop_id=given.shop_id, **columns))
    _tell_secret(columns, out)


def _set(given: argparse.Namespace, engine: Engine, _clock: Clock, out: TextIO) -> None:
    columns = _columns(given)
    change_shop(engine, given.shop_id, columns)
    _tell_secret(columns, out)


def _list(_given: argparse.Namespace, engine: Engine, _clock: Clock, out: TextIO) -> None:
    for shop, keys in list_shops(engine):
        facts = [shop.shop_id, shop.name, shop.shopify_domain, shop.currency, shop.webhook_url]
        facts.append("approval" if shop.approval else None)
        print("  ".join(fact for fact in facts if fact), file=out)
        for key in keys:
            used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            state = "revoked" if key.revoked_at else used
            print(f"    key {key.key_id}  made {key.created_at:%Y-%m-%d}  {state}", file=out)


def _inbox_list(_given: argparse.Namespace, engine: Engine, _clock: Clock, out: TextIO) -> None:
    for item in inbox.undone(engine):
        facts = (item.source, item.message_id, item.topic, item.outcome)
        print(f"{item.received_at:%Y-%m-%d %H:%M}", *facts, sep="  ", file=out)


def _inbox_replay(given: argparse.Namespace, engine: Engine, clock: Clock, out: TextIO) -> None:
    if not inbox.replay(engine, clock, given.source, given.message_id):
        raise NoSuchMessage("there is no such message, or it was dealt with")
    print("it will be handled again", file=out)


def _outbox_list(_given: argparse.Namespace, engine: Engine, _clock: Clock, out: TextIO) -> None:
    for item in outbox.unsent(engine):
        facts = (item.message_id, "tried on" if item.due_at else "given up", item.error)
        print(f"{item.created_at:%Y-%m-%d %H:%M}", *facts, sep="  ", file=out)


def _outbox_replay(given: argparse.Namespace, engine: Engine, clock: Clock, out: TextIO) -> None:
    if not outbox.replay(engine, clock, given.message_id):
        raise NoSuchMessage("there is no such message")
    print("it will be sent again", file=out)


def _key(given: argparse.Namespace, engine: Engine, clock: Clock, out: TextIO) -> None:
    print(new_key(engine, clock, given.shop_id), file=out)


def _revoke(given: argparse.Namespace, engine: Engine, clock: Clock, _out: TextIO) -> None:
    revoke_key(engine, clock, given.key_id)


def _user_add(given: argparse.Namespace, engine: Engine, clock: Clock, _: TextIO) -> None:
    add_user(engine, clock, given.username, given.role, _asked_password())


def _user_list(_: argparse.Namespace, engine: Engine, __: Clock, out: TextIO) -> None:
    for user in list_users(engine):
        state = "  locked out" if user.disabled else ""
        print(f"{user.username}  {user.role}{state}", file=out)


def _user_role(given: argparse.Namespace, engine: Engine, _: Clock, __: TextIO) -> None:
    set_role(engine, given.username, given.role)


def _user_disable(given: argparse.Namespace, engine: Engine, _: Clock, __: TextIO) -> None:
    set_disabled(engine, given.username, disabled=given.disabled)


def _user_password(given: argparse.Namespace, engine: Engine, _: Clock, __: TextIO) -> None:
    set_password(engine, given.username, _asked_password())


def _asked_password() -> str:
    """A password typed by a person, or the first line that another program writes: never an
    argument, which everybody on the machine can see."""
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\n")


def _columns(given: argparse.Namespace) -> dict[str, object]:
    """The columns that were named; an empty value is None. A new address gets a new secret."""
    names = ("name", "shopify_domain", "approval", "currency", "webhook_url")
    columns = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    columns = {name: None if value == "" else value for name, value in columns.items()}
    if "webhook_url" in columns:
        columns["webhook_secret"] = new_secret() if columns["webhook_url"] else None
    return columns


def _tell_secret(columns: dict[str, object], out: TextIO) -> None:
    if columns.get("webhook_secret"):
        print(columns["webhook_secret"], file=out)


def _name(text: str) -> str:
    if not 1 <= len(text) <= 200 or not text.isprintable():
        raise argparse.ArgumentTypeError("1 to 200 printable characters")
    return text


def _shopify_domain(text: str) -> str:
    if text and not _DOMAIN.fullmatch(text.lower()):
        raise argparse.ArgumentTypeError("must be like name.myshopify.com")
    return text.lower()


def _currency(text: str) -> str:
    if text and not _CURRENCY.fullmatch(text):
        raise argparse.ArgumentTypeError("must be an ISO 4217 code such as EUR")
    return text.upper()


def _webhook_url(text: str) -> str:
    """Where its host's name leads is looked at whenever a webhook goes there."""
    try:
        parts = urlsplit(text)
        named = _HOST.fullmatch(parts.hostname or "") and parts.port != 0
    except ValueError:
        named = None
    good = named and parts.scheme == "https" and parts.username is None and text.isprintable()
    if text and not good:
        raise argparse.ArgumentTypeError(
            "must be https://, the name of a host such as shop.example.com (no address), and a path"
        )
    return text
