"""The parts that carry paid orders, and how they are put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import SystemRandom

from books.model import Book
from gateway.bookbinder import Bookbinder
from gateway.catalogue import Catalogue
from gateway.download_links import DownloadLinks
from gateway.errors import Problem
from gateway.fulfilment import Fulfilment
from gateway.fulfilment_steps import Steps
from gateway.ids import new_id
from gateway.ledger import Ledger
from gateway.links import Links
from gateway.order_book import Lives
from gateway.order_jobs import Shards
from gateway.order_letters import OrderLetters
from gateway.order_records import Order
from gateway.outbox import Outbox
from gateway.outside import Outside
from gateway.print_desk import PrintDesk
from gateway.print_orders import PrintOrders
from gateway.print_profiles import PrintProfile, load_profiles
from gateway.processes import ThisProcess
from gateway.rounds import Round
from gateway.run_errors import StepFailed
from gateway.settings import Settings, SettingsError


@dataclass(frozen=True)
class OrderServices:
    """What carries paid orders on."""

    steps: Steps
    fulfilment: Fulfilment
    printing: PrintDesk
    outbox: Outbox
    lives: Lives

    def check_printable(self, book: Book, child_name: str, dedication: str | None) -> None:
        """Check the words of a book before it is sold, or before they are changed.

        Raises:
            Problem: ``book_unprintable``: it can't be printed for a child of that name, or with
                that dedication.
        """
        try:
            self.steps.binder.check(book, self.steps.profile_id, child_name, dedication)
        except StepFailed as error:
            why = error.reason.removeprefix("book_unprintable: ")
            raise Problem("book_unprintable", why) from None

    def rounds(self) -> list[Round]:
        """What is to be done again and again for orders."""
        lost_s = self.fulfilment.process.lost_after.total_seconds()
        return [
            Round("beat", lost_s / 4, self._beat),
            Round("runs", 1, self.fulfilment.start_due),
            Round("dead gateways", lost_s / 4, self.fulfilment.take_over),
            Round("strays", 60, self.fulfilment.start_strays),
            Round("printer", 30, self._ask_printer),
            Round("outbox", 2, self.outbox.send_due),
        ]

    def _beat(self) -> int:
        self.fulfilment.beat()
        return 0

    def _ask_printer(self) -> int:
        due = self.printing.due(20)
        for external_id in due:
            self.printing.ask(external_id)
        return len(due)


def assemble_orders(
    settings: Settings,
    outside: Outside,
    books: Catalogue,
    ledger: Ledger,
    links: Links,
    downloads: DownloadLinks,
    order_url: Callable[[Order], str],
) -> OrderServices:
    """Put together what carries orders.

    Raises:
        SettingsError: there is no such print profile.
    """
    profiles = load_profiles()
    if settings.print_profile not in profiles:
        raise SettingsError(f"PRINT_PROFILE: must be one of {', '.join(sorted(profiles))}")
    engine, clock = outside.engine, outside.clock
    process = ThisProcess(new_id(), timedelta(seconds=settings.gateway_lost_s))
    printing = _printing(settings, outside, books, profiles, links, process)
    steps = Steps(
        engine=engine,
        clock=clock,
        books=books,
        ledger=ledger,
        binder=Bookbinder(
            store=outside.store, vendor=outside.printer, profiles=profiles, fonts=outside.fonts
        ),
        printing=printing,
        look=settings.page_look,
        profile_id=settings.print_profile,
        shards=Shards(pages=settings.order_shard_pages, at_once=settings.order_jobs_at_once),
    )
    letters = OrderLetters(
        engine=engine,
        book=books.book,
        download_url=lambda order: downloads.url(order.order_id),
        order_url=order_url,
    )
    return OrderServices(
        steps=steps,
        fulfilment=_fulfilment(settings, outside, steps, process),
        printing=printing,
        outbox=_outbox(outside, letters, process),
        lives=Lives(
            download=timedelta(days=settings.download_life_days),
            photo=timedelta(days=settings.order_photo_life_days),
        ),
    )


def _printing(
    settings: Settings,
    outside: Outside,
    books: Catalogue,
    profiles: Mapping[str, PrintProfile],
    links: Links,
    process: ThisProcess,
) -> PrintDesk:
    print_orders = PrintOrders(
        book=books.book,
        profile=profiles.__getitem__,
        link=links.url,
        contact_email=settings.print_contact_email,
        shipping_level=settings.shipping_level,
    )
    return PrintDesk(
        engine=outside.engine,
        clock=outside.clock,
        vendor=outside.printer,
        vendor_name=settings.print_vendor,
        print_order=print_orders.make,
        process=process,
        settle=timedelta(seconds=settings.print_settle_s),
    )


def _fulfilment(
    settings: Settings, outside: Outside, steps: Steps, process: ThisProcess
) -> Fulfilment:
    return Fulfilment(
        engine=outside.engine,
        clock=outside.clock,
        steps=steps.all(),
        database_url=outside.engine.url.render_as_string(hide_password=False),
        process=process,
        at_once=settings.orders_at_once,
        set_clock=outside.set_clock,
    )


def _outbox(outside: Outside, letters: OrderLetters, process: ThisProcess) -> Outbox:
    return Outbox(
        engine=outside.engine,
        clock=outside.clock,
        mailer=outside.mailer,
        courier=outside.courier,
        letter=letters.write,
        jitter=SystemRandom().random,
        process=process,
    )
