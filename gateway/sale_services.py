"""The parts that take payments and hear of them, and how they are put together."""

from dataclasses import dataclass

from gateway.catalogue import Catalogue
from gateway.checkout import Till
from gateway.inbox import PRINTER, SHOPIFY, STRIPE, Inbox
from gateway.order_services import OrderServices
from gateway.outside import Outside
from gateway.printer_events import PrinterEvents
from gateway.rounds import Round
from gateway.settings import Settings
from gateway.shopify_orders import Privacy, ShopifyOrders
from gateway.stripe_events import StripeEvents

INBOX_ROUND = "inbox"


@dataclass(frozen=True)
class SaleServices:
    """What takes payments, and hears of them and of print jobs."""

    till: Till
    inbox: Inbox

    def rounds(self) -> list[Round]:
        """What is to be done again and again."""
        return [
            Round(INBOX_ROUND, 2, self.inbox.work_due),
            Round("missed events", 600, lambda: self.till.pick_up_missed(self.inbox)),
        ]


def assemble_sales(
    settings: Settings,
    outside: Outside,
    books: Catalogue,
    orders: OrderServices,
    privacy: Privacy,
) -> SaleServices:
    """Put together what takes payments."""
    engine, clock, lives = outside.engine, outside.clock, orders.lives
    stripe = StripeEvents(engine, clock, lives, settings.allow_test_payments)
    shopify = ShopifyOrders(engine, clock, lives, settings.allow_test_payments, privacy)
    printer = PrinterEvents(engine, clock)
    return SaleServices(
        till=Till(
            engine=engine,
            clock=clock,
            books=books,
            events=stripe,
            check_printable=orders.check_printable,
            payments=outside.payments,
        ),
        inbox=Inbox(
            engine,
            clock,
            {STRIPE: stripe.handle, SHOPIFY: shopify.handle, PRINTER: printer.handle},
        ),
    )
