"""A printer and a mail server on real sockets in the test's process."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any, Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session
from starlette.responses import JSONResponse

from tests.gateway.fake_lulu import KEY, SECRET, FakeLulu
from tests.gateway.live_server import served
from tests.servers import free_port

PROFILE: Final = "lulu_8_5_hardcover"
_PRODUCT: Final = "0850X0850FCPRECW080CW444GXX"


class Printer:
    """Lulu's stand-in. It would print a book twice if it were told to: so its jobs are the proof.

    While ``answers_to_lose`` lasts, it takes an order and its answer doesn't get through.
    """

    def __init__(self) -> None:
        self.lulu = FakeLulu(product=_PRODUCT, first_step=3)
        self.answers_to_lose = 0
        self._app = self.lulu.app()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        orders = scope.get("method") == "POST" and scope["path"] == "/print-jobs/"
        if not orders or not self.answers_to_lose:
            await self._app(scope, receive, send)
            return
        self.answers_to_lose -= 1
        await self._app(scope, receive, _nowhere)
        await JSONResponse({"detail": "Gateway time-out"}, 504)(scope, receive, send)

    def jobs(self, order_id: str) -> list[str]:
        """The external ids of the books that are printed for an order."""
        return [job["external_id"] for job in self.lulu.jobs if order_id in job["external_id"]]


async def _nowhere(_message: Any) -> None:
    return


@contextmanager
def running_printer() -> Iterator[tuple[Printer, dict[str, str]]]:
    """A printer, and the environment of gateways that use it."""
    printer = Printer()
    with served(printer) as url:
        yield (
            printer,
            {
                "PRINT_VENDOR": "lulu",
                "PRINT_PROFILE": PROFILE,
                "LULU_API_URL": url,
                "LULU_CLIENT_KEY": KEY,
                "LULU_CLIENT_SECRET": SECRET,
            },
        )


@dataclass
class MailServer:
    """An SMTP server on a port of its own, which may be away for a while."""

    port: int = field(default_factory=free_port)
    taken: list[str] = field(default_factory=list)
    _controller: Controller | None = None

    @property
    def environ(self) -> dict[str, str]:
        """The environment of gateways that use it."""
        return {
            "MAIL": "smtp",
            "MAIL_FROM": "Foxetales <books@foxetales.example>",
            "SMTP_URL": f"smtp://127.0.0.1:{self.port}?starttls=never",
        }

    def letters(self, order_id: str) -> list[str]:
        """The Message-IDs of the letters that came about an order, before the @."""
        return sorted(letter for letter in self.taken if order_id in letter)

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802  # the library's name
        """Take a letter."""
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        self.taken.append(letter["Message-ID"].strip().strip("<>").partition("@")[0])
        return "250 OK"

    def start(self) -> None:
        """Take letters."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        """Be away."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None


@contextmanager
def running_mail_server() -> Iterator[MailServer]:
    """A mail server, up until the block ends."""
    server = MailServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
