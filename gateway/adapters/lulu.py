"""Books printed by Lulu (https://api.lulu.com/docs/)."""

import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from gateway.adapters.lulu_session import Answer, LuluSession
from gateway.lulu_messages import UnreadableMessage, faults, print_job
from gateway.one_line import one_line
from gateway.ports import (
    Clock,
    PrintError,
    PrintFile,
    PrintJob,
    PrintOrder,
    PrintRejected,
    PrintStatus,
)

_PER_INCH: Final = {"inch": 1.0, "mm": 25.4, "pt": 72.0}
_WIDEST_COVER_IN: Final = 60.0
_VALID: Final = frozenset({"VALIDATED", "NORMALIZED"})
_PRODUCTION_DELAY_MIN: Final = 120
"""Minutes, after payment, in which a job can be called back. Lulu allows 60 to 2,880."""

_PAUSE_S: Final = 5.0
_CHECKED_WITHIN: Final = timedelta(minutes=8)
"""How long Lulu may check the files of an order, and the pauses with which it is asked."""

_PAGE_SIZE: Final = 100
_MOST_PAGES: Final = 20
_LONGEST_TITLE: Final = 255
_GONE: Final = frozenset({PrintStatus.REJECTED, PrintStatus.CANCELLED})


class Lulu:
    """Lulu as a printer.

    To Lulu ``external_id`` is a label, not a key: two attempts at the same moment would be two
    books. So the caller sees to it that one order has one attempt at a time; each looks first
    whether an earlier one got through.
    """

    def __init__(
        self, session: LuluSession, clock: Clock, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """``pause`` waits for so many seconds."""
        self._session = session
        self._clock = clock
        self._pause = pause

    def cover_size_in(self, product: str, pages: int) -> tuple[float, float]:
        """Width and height in inches that Lulu wants of the cover.

        Raises:
            PrintRejected: there is no such product, or not with so many pages; PrintError.
        """
        body = {"pod_package_id": product, "interior_page_count": pages, "unit": "inch"}
        document = _accepted(self._session.call("POST", "/cover-dimensions/", body=body))
        try:
            unit = _PER_INCH[document["unit"]]
            width, height = float(document["width"]) / unit, float(document["height"]) / unit
        except (KeyError, TypeError, ValueError):
            raise PrintError("Lulu's answer has no cover dimensions") from None
        if not all(math.isfinite(edge) and 0 < edge < _WIDEST_COVER_IN for edge in (width, height)):
            raise PrintError("Lulu's cover dimensions make no sense")
        return width, height

    def find(self, external_id: str) -> PrintJob | None:
        """The job with that ``external_id``; of several one that is still to be printed.

        Raises:
            PrintError.
        """
        found: list[PrintJob] = []
        for page in range(1, _MOST_PAGES + 1):
            document = _accepted(
                self._session.call(
                    "GET",
                    "/print-jobs/",
                    query={
                        "search": external_id,
                        "page": str(page),
                        "page_size": str(_PAGE_SIZE),
                        "ordering": "id",
                    },
                )
            )
            if not isinstance(document.get("results"), list):
                raise PrintError("Lulu's answer has no list of print jobs")
            # The search looks into other fields, too, and for parts of words.
            found += [
                _job(entry)
                for entry in document["results"]
                if isinstance(entry, dict) and entry.get("external_id") == external_id
            ]
            if not document.get("next"):
                alive = [job for job in found if job.status not in _GONE]
                return next(iter(alive + found), None)
        raise PrintError("Lulu finds too many print jobs for one order")

    def submit(self, order: PrintOrder) -> PrintJob:
        """Have the files checked, and order the book; unless an earlier attempt did.

        The check may take minutes: so earlier attempts are looked for before it, and after it.

        Raises:
            PrintRejected: Lulu faults a file or the order; PrintError.
        """
        known = self.find(order.external_id)
        if known is not None:
            return known
        self._check_files(order)
        known = self.find(order.external_id)
        if known is not None:
            return known
        answer = self._session.call("POST", "/print-jobs/", body=_order_document(order))
        return _job(_accepted(answer, private=_private(order)))

    def state(self, vendor_id: str) -> PrintJob | None:
        """The job as it is now, or None.

        Raises:
            PrintError.
        """
        answer = self._session.call("GET", f"/print-jobs/{quote(vendor_id, safe='')}/")
        return None if answer.status == 404 else _job(_accepted(answer))

    def cancel(self, vendor_id: str) -> bool:
        """Call the job back, which Lulu allows until production begins.

        Raises:
            PrintError.
        """
        path = f"/print-jobs/{quote(vendor_id, safe='')}/status/"
        answer = self._session.call("PUT", path, body={"name": "CANCELED"})
        if answer.status == 404:
            return False
        if not answer.faulted:
            return True
        job = self.state(vendor_id)  # refused: because it is too late, or because it is done
        return job is not None and job.status in _GONE

    def _check_files(self, order: PrintOrder) -> None:
        until = self._clock.now() + _CHECKED_WITHIN
        product = {"pod_package_id": order.product}
        interior = self._checked("interior", order.interior, product, until)
        told = interior.get("page_count")
        if told is not None and str(told) != str(order.pages):
            raise PrintRejected({"interior": f"Lulu counts {told} pages instead of {order.pages}"})
        details = product | {"interior_page_count": order.pages}
        self._checked("cover", order.cover, details, until)

    def _checked(
        self, part: str, file: PrintFile, details: Mapping[str, object], until: datetime
    ) -> dict[str, Any]:
        """Lulu's opinion of a file that it finds valid."""
        path = f"/validate-{part}/"
        answer = self._session.call("POST", path, body={"source_url": file.url, **details})
        opinion = _accepted(answer, private=[file.url])
        while opinion.get("status") not in _VALID:
            if opinion.get("status") == "ERROR":
                reasons = faults(opinion.get("errors"), private=[file.url])
                raise PrintRejected({part: "; ".join(reasons.values()) or "Lulu gives no reason"})
            if self._clock.now() >= until:
                raise PrintError(f"Lulu is still checking the {part}")
            self._pause(_PAUSE_S)
            opinion = _accepted(self._session.call("GET", f"{path}{opinion.get('id')}/"))
        return opinion


def _order_document(order: PrintOrder) -> dict[str, Any]:
    to = order.ship_to
    address = {
        "name": one_line(to.name),
        "street1": one_line(to.line1),
        "street2": one_line(to.line2),
        "city": one_line(to.city),
        "state_code": one_line(to.state),
        "postcode": one_line(to.postcode),
        "country_code": to.country,
    }
    if one_line(to.phone):  # without one Lulu takes the account's
        address["phone_number"] = one_line(to.phone)
    return {
        "external_id": order.external_id,
        "contact_email": order.contact_email,
        "production_delay": _PRODUCTION_DELAY_MIN,
        "shipping_level": order.shipping_level,
        "shipping_address": address,
        "line_items": [
            {
                "external_id": order.external_id,
                "title": one_line(order.title)[:_LONGEST_TITLE],
                "quantity": order.quantity,
                "printable_normalization": {
                    "pod_package_id": order.product,
                    "cover": _source(order.cover),
                    "interior": _source(order.interior),
                },
            }
        ],
    }


def _source(file: PrintFile) -> dict[str, str]:
    return {"source_url": file.url, "source_md5_sum": file.md5}


def _private(order: PrintOrder) -> list[str]:
    """What Lulu may repeat of an order, and we mustn't."""
    to = order.ship_to
    texts = [to.name, to.line1, to.line2, to.city, to.state, to.postcode, to.phone, order.title]
    return [*texts, *to.name.split(), *to.line1.split()]


def _accepted(answer: Answer, *, private: list[str] | None = None) -> dict[str, Any]:
    """The document of an answer that is neither a fault nor a 404."""
    if answer.faulted:
        reasons = faults(answer.document, private=private or [])
        raise PrintRejected(reasons or {"request": f"Lulu answered {answer.status}"})
    if not isinstance(answer.document, dict):
        raise PrintError(f"Lulu's answer of status {answer.status} is no JSON object")
    return answer.document


def _job(document: object) -> PrintJob:
    try:
        return print_job(document)
    except UnreadableMessage as error:
        raise PrintError(f"Lulu's answer makes no sense: {error}") from None
