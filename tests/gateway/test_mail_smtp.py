"""Letters by SMTP, to a real mail server."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from anyio import Event
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.adapters.smtp import SmtpMailer, SmtpServer
from gateway.mail_message import sender
from gateway.ports import Mail, MailError, MailRefused
from tests.gateway.fakes import MovableClock

MAIL = Mail(
    to="mia.muster@parents.example",
    subject="Nguyễn Thị Ánh’s book is painted",
    text="Hello\n.\nNguyễn Thị Ánh\n",
    html="<p>Nguyễn Thị Ánh</p>",
    message_id="order-1.book_ready",
)
FROM = sender("Foxetales <books@foxetales.example>")


@dataclass
class Inbox:
    """A mail server's side: what it took, and what it answers instead of taking."""

    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    hang_up_at: str = ""
    silent_at: str = ""

    async def handle_MAIL(  # noqa: N802  # the library's name
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return await self._answer("MAIL", server)

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return await self._answer("RCPT", server)

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = await self._answer("DATA", server)
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.taken.append(message_from_bytes(envelope.content, policy=policy.default))
            self.envelopes.append(envelope)
        return answer

    async def handle_QUIT(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        return await self._answer("QUIT", server, "221 Bye")

    async def _answer(self, command: str, server: Any, otherwise: str = "250 OK") -> str:
        if self.hang_up_at == command:
            server.transport.abort()
        if self.silent_at == command:
            await Event().wait()
        return self.answers.get(command, otherwise)


class AnyPort(Controller):
    """A mail server on whichever port is free."""

    def _trigger_server(self) -> None:
        assert self.server
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # asyncio's own server has it
        super()._trigger_server()  # type: ignore[no-untyped-call]  # unannotated there


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1, its own authority, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


@contextmanager
def mail_server(inbox: Inbox, **options: Any) -> Iterator[int]:
    """The port of a running mail server."""
    controller = AnyPort(inbox, hostname="127.0.0.1", port=0, **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def mailer(url: str, **options: Any) -> SmtpMailer:
    return SmtpMailer(SmtpServer.parse(url), FROM, MovableClock(), **options)


@pytest.fixture
def plain(inbox: Inbox) -> Iterator[SmtpMailer]:
    """A mailer and its server, without TLS."""
    with mail_server(inbox) as port:
        yield mailer(f"smtp://127.0.0.1:{port}?starttls=never")


def the_password(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and data == LoginPassword(b"fox@tales", b"p/ss word")
    return AuthResult(success=right, handled=False)


LOGIN = {"authenticator": the_password, "auth_required": True}


def test_a_letter_arrives_as_it_was_written(plain: SmtpMailer, inbox: Inbox) -> None:
    plain.send(MAIL)
    (message,) = inbox.taken
    assert message["Subject"] == MAIL.subject
    assert message["From"] == "Foxetales <books@foxetales.example>"
    assert message["To"] == MAIL.to
    assert message["Message-ID"] == "<order-1.book_ready@foxetales.example>"
    assert message["Date"] == "Tue, 01 Jan 2030 12:00:00 +0000"
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().replace("\r\n", "\n") == MAIL.text
    assert html.get_content().strip() == MAIL.html
    (envelope,) = inbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("books@foxetales.example", [MAIL.to])


def test_a_second_attempt_is_known_by_its_message_id(plain: SmtpMailer, inbox: Inbox) -> None:
    plain.send(MAIL)
    plain.send(MAIL)
    assert len({message["Message-ID"] for message in inbox.taken}) == 1


def test_starttls_and_login_make_the_line_safe(
    inbox: Inbox, serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    options = {"tls_context": serving, "require_starttls": True, **LOGIN}
    with mail_server(inbox, **options) as port:
        safe = mailer(f"smtp://fox%40tales:p%2Fss%20word@127.0.0.1:{port}", tls=trusting)
        safe.ping()
        safe.send(MAIL)
    assert len(inbox.taken) == 1


def test_tls_from_the_first_byte(
    inbox: Inbox, serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    with mail_server(inbox, ssl_context=serving) as port:
        mailer(f"smtps://127.0.0.1:{port}", tls=trusting).send(MAIL)
    assert len(inbox.taken) == 1


def test_a_wrong_password_may_be_mended_and_isnt_repeated(
    inbox: Inbox, serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    with mail_server(inbox, tls_context=serving, **LOGIN) as port:
        wrong = mailer(f"smtp://fox%40tales:hunter2@127.0.0.1:{port}", tls=trusting)
        for call in (wrong.ping, lambda: wrong.send(MAIL)):
            error = failure(call)
            assert type(error) is MailError
            assert "password" in str(error)
            assert "hunter2" not in str(error)


def test_a_server_that_nobody_vouches_for_gets_no_letter(
    inbox: Inbox, serving: ssl.SSLContext
) -> None:
    with mail_server(inbox, tls_context=serving) as port:
        error = failure(lambda: mailer(f"smtp://127.0.0.1:{port}").send(MAIL))
    assert type(error) is MailError
    assert inbox.taken == []


def test_a_server_without_starttls_gets_no_letter(inbox: Inbox) -> None:
    with mail_server(inbox) as port:
        error = failure(lambda: mailer(f"smtp://127.0.0.1:{port}").send(MAIL))
    assert type(error) is MailError
    assert "STARTTLS" in str(error)
    assert inbox.taken == []


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("450 mailbox busy", MailError),
        ("421 closing", MailError),
        ("550 no mia.muster here", MailRefused),
        ("552 too large", MailRefused),
    ],
)
def test_what_is_temporary_may_be_tried_again_and_what_is_permanent_may_not(
    plain: SmtpMailer, inbox: Inbox, command: str, answer: str, kind: type[MailError]
) -> None:
    inbox.answers[command] = answer
    error = failure(lambda: plain.send(MAIL))
    assert type(error) is kind
    assert answer[:3] in str(error)
    assert inbox.taken == []


def test_a_server_that_refuses_our_own_address_isnt_the_readers_fault(
    plain: SmtpMailer, inbox: Inbox
) -> None:
    inbox.answers["MAIL"] = "550 who are you?"
    assert type(failure(lambda: plain.send(MAIL))) is MailError


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_line_that_breaks_may_be_tried_again(
    plain: SmtpMailer, inbox: Inbox, command: str
) -> None:
    inbox.hang_up_at = command
    assert type(failure(lambda: plain.send(MAIL))) is MailError
    inbox.hang_up_at = ""
    plain.send(MAIL)


def test_a_server_that_falls_silent_may_be_tried_again(inbox: Inbox) -> None:
    inbox.silent_at = "DATA"
    with mail_server(inbox) as port:
        url = f"smtp://127.0.0.1:{port}?starttls=never"
        error = failure(lambda: mailer(url, patience_s=0.2).send(MAIL))
    assert type(error) is MailError
    assert "TimeoutError" in str(error) or "Disconnected" in str(error)


@pytest.mark.parametrize("answer", ["", "500 I don't say goodbye"])
def test_a_line_that_breaks_after_the_letter_was_taken_is_no_error(
    plain: SmtpMailer, inbox: Inbox, answer: str
) -> None:
    if answer:
        inbox.answers["QUIT"] = answer
    else:
        inbox.hang_up_at = "QUIT"
    plain.send(MAIL)
    assert len(inbox.taken) == 1


def test_a_server_that_is_down_may_be_tried_again() -> None:
    down = mailer("smtp://127.0.0.1:9?starttls=never")
    for call in (down.ping, lambda: down.send(MAIL)):
        assert type(failure(call)) is MailError


def test_nothing_that_is_told_of_a_failure_names_the_reader(
    plain: SmtpMailer, inbox: Inbox
) -> None:
    for command in ("MAIL", "RCPT", "DATA"):
        inbox.answers = {command: "550 5.1.1 mia.muster@parents.example unknown"}
        error: BaseException | None = failure(lambda: plain.send(MAIL))
        while error is not None:
            assert "mia" not in str(error)
            error = error.__cause__


@pytest.mark.parametrize(
    "address",
    ["", "mia", "a@b@c", "a b@c.de", "a@c.de, x@y.de", "a@c.de\nBcc: x@y.de", "<a@c.de>", "a@-é.."],
)
def test_what_is_no_address_is_refused(plain: SmtpMailer, inbox: Inbox, address: str) -> None:
    assert type(failure(lambda: plain.send(replace(MAIL, to=address)))) is MailRefused
    assert inbox.taken == []


def test_an_international_domain_is_sent_in_ascii(plain: SmtpMailer, inbox: Inbox) -> None:
    plain.send(replace(MAIL, to="mia@bücher.example"))
    assert inbox.envelopes[0].rcpt_tos == ["mia@xn--bcher-kva.example"]


def test_an_international_address_needs_a_server_that_takes_it(inbox: Inbox) -> None:
    abroad = replace(MAIL, to="jürgen@parents.example")
    with mail_server(inbox, enable_SMTPUTF8=True) as port:
        mailer(f"smtp://127.0.0.1:{port}?starttls=never").send(abroad)
    assert inbox.envelopes[0].rcpt_tos == [abroad.to]
    with mail_server(inbox, enable_SMTPUTF8=False) as port:
        old = mailer(f"smtp://127.0.0.1:{port}?starttls=never")
        assert type(failure(lambda: old.send(abroad))) is MailRefused


def test_a_subject_cant_become_another_header(plain: SmtpMailer, inbox: Inbox) -> None:
    plain.send(replace(MAIL, subject="Hello\r\nBcc: x@y.example\r\n\r\nBody\x00"))
    (message,) = inbox.taken
    assert message["Bcc"] is None
    assert message["Subject"] == "Hello Bcc: x@y.example Body "


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", SmtpServer("mail.example", 587, False, True)),
        ("smtps://mail.example/", SmtpServer("mail.example", 465, True, False)),
        ("smtp://mail.example:25?starttls=never", SmtpServer("mail.example", 25, False, False)),
        (
            "smtp://u%40x:p%3A%2F@mail.example?starttls=require",
            SmtpServer("mail.example", 587, False, True, "u@x", "p:/"),
        ),
    ],
)
def test_a_url_names_a_server(url: str, server: SmtpServer) -> None:
    assert SmtpServer.parse(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example:x",
        "smtp://mail.example/path",
        "smtp://mail.example?starttls=maybe",
        "smtp://mail.example?starttls=",
        "smtp://user:hunter2@mail.example?starttls=never",
    ],
)
def test_another_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"smtp|TLS") as caught:
        SmtpServer.parse(url)
    assert "hunter2" not in str(caught.value)


def test_a_password_isnt_shown() -> None:
    assert "hunter2" not in repr(SmtpServer.parse("smtp://user:hunter2@mail.example"))


def failure(call: Callable[[], None]) -> MailError:
    with pytest.raises(MailError) as caught:
        call()
    return caught.value
