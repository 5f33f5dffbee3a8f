"""Letters by SMTP."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC
from email.headerregistry import Address
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from gateway.mail_message import internet_message
from gateway.ports import Clock, Mail, MailError, MailRefused

_PATIENCE_S = 20.0
_PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True)
class SmtpServer:
    """Where letters are handed over, and how the line is made safe: TLS from the first byte
    (``implicit``), by STARTTLS, or not at all."""

    host: str
    port: int
    implicit_tls: bool
    starttls: bool
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read ``smtps://user:password@host:465`` or ``smtp://user:password@host:587``.

        With ``smtp`` STARTTLS is required, unless the URL ends with ``?starttls=never``, which
        can't go together with a password. User and password are percent-encoded.

        Raises:
            ValueError: the URL has another form. The message doesn't repeat it.
        """
        form = "must be smtps://user:password@host:port or smtp://…?starttls=require|never"
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            raise ValueError(form) from None
        starttls = parse_qs(parts.query, keep_blank_values=True).get("starttls", ["require"])
        if (
            parts.scheme not in _PORTS
            or not parts.hostname
            or parts.path not in ("", "/")
            or starttls not in (["require"], ["never"])
        ):
            raise ValueError(form)
        implicit = parts.scheme == "smtps"
        never = starttls == ["never"] and not implicit
        if never and parts.password:
            raise ValueError("a password isn't sent over a line without TLS")
        return cls(
            host=parts.hostname,
            port=port,
            implicit_tls=implicit,
            starttls=not implicit and not never,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )


class SmtpMailer:
    """Hands letters to a mail server, each over a connection of its own.

    A server that takes a letter and dies before it says so gets it again at the next attempt: with
    the same Message-ID, which is all that SMTP has against doubles.
    """

    def __init__(
        self,
        server: SmtpServer,
        from_: Address,
        clock: Clock,
        *,
        tls: ssl.SSLContext | None = None,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """``tls`` is who is trusted (default: the system's authorities); ``patience_s`` the
        longest silence of the server."""
        self._server = server
        self._from = from_
        self._clock = clock
        self._tls = tls or ssl.create_default_context()
        self._patience_s = patience_s

    def send(self, mail: Mail) -> None:
        """Hand the letter over.

        Raises:
            MailRefused: the server will never take it (5xx to the reader or the letter).
            MailError: it can't be reached, or doesn't take it now.
        """
        message = internet_message(mail, self._from, self._clock.now().astimezone(UTC))
        with self._line() as line, _translated():
            line.send_message(message, from_addr=self._from.addr_spec)

    def ping(self) -> None:
        """Connect, log in, and hang up.

        Raises:
            MailError.
        """
        with self._line() as line, _translated():
            code, _ = line.noop()
            if code != 250:
                raise MailError(f"the mail server answered {code}")

    @contextmanager
    def _line(self) -> Iterator[smtplib.SMTP]:
        """A line to the server, safe and logged in. What goes wrong at hanging up is no matter:
        the letter is with the server by then."""
        with _translated():
            line = self._connect()
        try:
            with _translated():
                if self._server.starttls:
                    line.starttls(context=self._tls)
                if self._server.user:
                    line.login(self._server.user, self._server.password)
            yield line
            with suppress(smtplib.SMTPException, OSError):
                line.quit()
        finally:
            line.close()

    def _connect(self) -> smtplib.SMTP:
        server, name = self._server, self._from.domain
        if server.implicit_tls:
            return smtplib.SMTP_SSL(
                server.host,
                server.port,
                local_hostname=name,
                timeout=self._patience_s,
                context=self._tls,
            )
        return smtplib.SMTP(server.host, server.port, local_hostname=name, timeout=self._patience_s)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the library's errors into ours. Theirs repeat addresses and what the server said, which
    may: so only codes and types are passed on, and not the errors themselves."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        code = max((code for code, _ in error.recipients.values()), default=0)
        raise _answered(code, "the reader's address") from None
    except smtplib.SMTPDataError as error:
        raise _answered(error.smtp_code, "the letter") from None
    except smtplib.SMTPAuthenticationError as error:
        raise MailError(f"the mail server refuses our password: {error.smtp_code}") from None
    except smtplib.SMTPResponseException as error:  # greeting, STARTTLS, our own address
        raise MailError(f"the mail server answered {error.smtp_code}") from None
    except smtplib.SMTPNotSupportedError as error:
        if "SMTPUTF8" in str(error):
            raise MailRefused("the mail server takes addresses in ASCII only") from None
        raise MailError("the mail server has no STARTTLS, or no login") from None
    except (smtplib.SMTPException, OSError) as error:  # OSError: timeouts and TLS, too
        raise MailError(f"the mail server can't be reached: {type(error).__name__}") from None


def _answered(code: int, what: str) -> MailError:
    kind = MailRefused if 500 <= code < 600 else MailError
    return kind(f"the mail server answered {code} to {what}")
