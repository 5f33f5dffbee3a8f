"""A letter as an Internet message (RFC 5322, RFC 2047). Pure."""

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import getaddresses

from gateway.one_line import one_line
from gateway.ports import Mail, MailRefused

_MESSAGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_NEVER_IN_AN_ADDRESS = frozenset('()<>[]:;,\\"')


def mail_address(text: str) -> str:
    """Return ``text`` as ``local@domain``, an international domain in ASCII (IDNA).

    Quoted local parts and literal domains, which no parent has, are refused.

    Raises:
        ValueError: it isn't one mail address. The message doesn't repeat it.
    """
    local, _, domain = text.strip().rpartition("@")
    try:
        domain = domain.encode("idna").decode().lower()
    except UnicodeError:
        domain = ""
    plain = all(
        character.isprintable()
        and not character.isspace()
        and character not in _NEVER_IN_AN_ADDRESS
        for character in local + domain
    )
    well_formed = plain and "@" not in local and ".." not in f".{local}."
    if not (local and well_formed and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", domain)):
        raise ValueError("not a mail address")
    if len(f"{local}@{domain}") > _LONGEST_ADDRESS:
        raise ValueError("not a mail address: too long")
    return f"{local}@{domain}"


def sender(text: str) -> Address:
    """Read a sender of the form ``Name <local@domain>`` or ``local@domain``.

    Raises:
        ValueError: it is something else, or the address isn't ASCII.
    """
    found = getaddresses([text])
    if len(found) != 1:
        raise ValueError("not a mail address, but several or none")
    ((name, address),) = found
    local, _, domain = mail_address(address).rpartition("@")
    if not local.isascii():
        raise ValueError("not a mail address in ASCII")
    return Address(display_name=one_line(name), username=local, domain=domain)


def subject_line(mail: Mail) -> str:
    """The letter's subject, which can't become another header."""
    return _CONTROLS.sub(" ", mail.subject)


def internet_message(mail: Mail, from_: Address, now: datetime) -> EmailMessage:
    """Put the letter together: text and HTML as alternatives, dated ``now``, from ``from_``.

    The Message-ID is made from ``mail.message_id`` and the sender's domain.

    Raises:
        MailRefused: ``mail.to`` isn't a mail address.
        ValueError: ``mail.message_id`` isn't of the form that the port tells.
    """
    if not _MESSAGE_ID.fullmatch(mail.message_id):
        raise ValueError("not the id of a letter")
    try:
        to = mail_address(mail.to)
    except ValueError:
        raise MailRefused("the reader's mail address is malformed") from None
    message = EmailMessage(policy=SMTP)
    message["From"] = from_
    message["To"] = to
    message["Subject"] = subject_line(mail)
    message["Date"] = now
    message["Message-ID"] = f"<{mail.message_id}@{from_.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notes, please
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    return message
