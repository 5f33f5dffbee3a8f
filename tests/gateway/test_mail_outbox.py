"""Letters as files, and what a letter looks like as a message."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from gateway.adapters.mail_outbox import MailOutbox
from gateway.mail_message import mail_address, sender
from gateway.ports import Mail, MailError, MailRefused
from tests.gateway.fakes import MovableClock

MAIL = Mail("mia@parents.example", "Zoë 🦊 نور", "text\n", "<p>html</p>\n", "order-1.shipped")


@pytest.fixture
def outbox(tmp_path: Path) -> MailOutbox:
    return MailOutbox(tmp_path / "mail", sender("Foxetales <b@foxetales.example>"), MovableClock())


def test_a_letter_is_a_file_that_mail_programs_open(outbox: MailOutbox, tmp_path: Path) -> None:
    outbox.send(MAIL)
    (path,) = (tmp_path / "mail").iterdir()
    assert path.name == "order-1.shipped.eml"
    data = path.read_bytes()
    assert data.isascii()
    message = message_from_bytes(data, policy=policy.default)
    assert message["Subject"] == MAIL.subject
    assert message["Message-ID"] == "<order-1.shipped@foxetales.example>"


def test_the_first_of_equal_letters_stays(outbox: MailOutbox, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(outbox.send, [MAIL] * 16))
    before = (tmp_path / "mail" / "order-1.shipped.eml").read_bytes()
    outbox.send(replace(MAIL, text="another"))
    assert [path.read_bytes() for path in (tmp_path / "mail").iterdir()] == [before]


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "a b", "ä", "x" * 129, "a\n"])
def test_a_name_that_leads_elsewhere_is_a_mistake_of_ours(
    outbox: MailOutbox, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ValueError, match="not the id of a letter"):
        outbox.send(replace(MAIL, message_id=name))
    assert not (tmp_path / "mail").exists()


def test_what_is_no_address_is_refused(outbox: MailOutbox) -> None:
    with pytest.raises(MailRefused):
        outbox.send(replace(MAIL, to="mia"))


def test_an_outbox_that_cant_be_written_to_is_an_error(outbox: MailOutbox, tmp_path: Path) -> None:
    outbox.ping()
    (tmp_path / "mail").rmdir()
    (tmp_path / "mail").write_text("a file")
    for call in (outbox.ping, lambda: outbox.send(MAIL)):
        with pytest.raises(MailError, match="outbox"):
            call()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" mia@parents.example ", "mia@parents.example"),
        ("Mia.M+fox@Parents.Example", "Mia.M+fox@parents.example"),
        ("ánh@Bücher.example", "ánh@xn--bcher-kva.example"),
        ("mia@localhost", "mia@localhost"),
    ],
)
def test_an_address_is_read(text: str, address: str) -> None:
    assert mail_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "@b.de",
        "a@",
        "a..b@c.de",
        ".a@c.de",
        "a@b_c.de",
        "a@[127.0.0.1]",
        f"a@{'b' * 64}.de",
        f"{'a' * 250}@b.de",
        '"a b"@c.de',
        "a\u2028b@c.de",
        "a\x00@c.de",
    ],
)
def test_what_is_no_address_isnt_read(text: str) -> None:
    with pytest.raises(ValueError, match="not a mail address"):
        mail_address(text)


def test_a_sender_has_a_name_or_none() -> None:
    assert str(sender("Füchse <b@foxetales.example>")) == "Füchse <b@foxetales.example>"
    assert str(sender("b@foxetales.example")) == "b@foxetales.example"
    for text in ("", "Foxetales", "Foxetales <b>", "Fox <ü@foxetales.example>"):
        with pytest.raises(ValueError, match="not a mail address"):
            sender(text)
