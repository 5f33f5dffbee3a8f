"""The steps from a paid order to the printer. Each may be carried out again at any time.

A step reads in SQL what is left to do, does it, and writes what was done. It doesn't know what was
done in which run, or by which gateway: so a run that dies is begun again from any point, and two
runs of one order at the same moment end as one.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from books.model import Book
from contract.keys import page_key, print_page_key
from contract.status import JobStatus, PageStatus
from gateway import order_book, order_jobs
from gateway.bookbinder import Bookbinder, Contents, Sheet, words_of
from gateway.catalogue import Catalogue
from gateway.errors import Problem
from gateway.jobs import seed_for
from gateway.ledger import Ledger
from gateway.looks import Look, Rendering, enlargement, rendering
from gateway.order_jobs import Shards, Wanted
from gateway.order_records import Order, OrderPage
from gateway.orders import OrderStatus, Stage
from gateway.ports import Clock
from gateway.print_desk import PrintDesk
from gateway.print_profiles import PrintProfile, print_pixels
from gateway.records import AS_PAINTED, Job, Page, print_variant, reading, writing
from gateway.run_errors import RunStopped, StepFailed
from gateway.shops import Shop
from gateway.takes import shown_pages

_POLL_S: Final = 0.5


@dataclass(frozen=True)
class Steps:
    """What carries an order on. Methods block; ``order_id`` is always of an order that exists.

    ``sleep`` pauses between two looks at jobs that render.
    """

    engine: Engine
    clock: Clock
    books: Catalogue
    ledger: Ledger
    binder: Bookbinder
    printing: PrintDesk
    look: Look
    profile_id: str
    shards: Shards
    sleep: Callable[[float], None] = time.sleep

    def all(self) -> Mapping[Stage, Callable[[str], None]]:
        """The steps by their stage, in the order in which a run carries them out.

        Each raises RunStopped or StepFailed.
        """
        return {
            Stage.RESERVE: self.reserve,
            Stage.RENDER: self.render,
            Stage.APPROVE: self.approve,
            Stage.UPSCALE: self.upscale,
            Stage.ASSEMBLE: self.assemble,
            Stage.SUBMIT: self.submit,
        }

    def reserve(self, order_id: str) -> None:
        """Decide which take of each page is in the book, by what it is rendered, and how it is
        printed. A take that the preview has in the same rendering is taken as it is."""
        with writing(self.engine) as session:
            order = _working(session, order_id)
            book = self._book(session, order)
            if order.rendering is None:
                chosen = rendering(book, self.look, "standard")
                order.rendering = chosen.model_dump(mode="json")
            if order.print_profile is None:
                order.print_profile = self.profile_id
            name = order_book.preview_of(session, order).child_name
            self.binder.check(book, order.print_profile, name, order.dedication)
            self._choose_takes(session, order, book)

    def render(self, order_id: str) -> None:
        """Have the pages painted that aren't yet; returns when all are there."""
        with writing(self.engine) as session:
            order = _working(session, order_id)
            if self._missing(session, order, _painted(session, order)):
                order_book.move(session, order, OrderStatus.RENDERING, self.clock.now())
        self._make(order_id, _painted)

    def approve(self, order_id: str) -> None:
        """Wait for the desk where the shop wants that: this run ends, another one goes on."""
        with writing(self.engine) as session:
            order = _working(session, order_id)
            shop = session.get(Shop, order.shop_id)
            if order.approved_at is not None or shop is None or not shop.approval:
                return
            order_book.move(session, order, OrderStatus.AWAITING_APPROVAL, self.clock.now())
        raise RunStopped

    def upscale(self, order_id: str) -> None:
        """Have the pages enlarged for the printer; returns when all are there."""
        with writing(self.engine) as session:
            order = _working(session, order_id)
            width, height = print_pixels(self._profile(order))
            order_jobs.plan(
                session,
                order_id=order_id,
                preview_id=_preview_id(order),
                wanted=_enlarged(session, order, width, height),
                rendering=enlargement(_rendering(order).look, width, height),
                shards=self.shards,
                now=self.clock.now(),
            )
            if self._missing(session, order, _enlarged(session, order, width, height)):
                order_book.move(session, order, OrderStatus.UPSCALING, self.clock.now())
        self._make(order_id, lambda session, order: _enlarged(session, order, width, height))

    def assemble(self, order_id: str) -> None:
        """Make the PDFs and store them. What was assembled of the same pages stays as it is."""
        with writing(self.engine) as session:
            order = _working(session, order_id)
            contents = self._contents(session, order)
            if order.files and order.files["contents"] == contents.digest:
                return
            order_book.move(session, order, OrderStatus.ASSEMBLING, self.clock.now())
        files = self.binder.bind(contents)
        with writing(self.engine) as session:
            _working(session, order_id).files = files

    def submit(self, order_id: str) -> None:
        """Give the book to the printer: once, whatever happens."""
        self.printing.submit(order_id)

    def _choose_takes(self, session: Session, order: Order, book: Book) -> None:
        chosen = set(
            session.scalars(
                select(OrderPage.page_number).where(OrderPage.order_id == order.order_id)
            )
        )
        preview_id = _preview_id(order)
        shown = _reusable(session, preview_id, _rendering(order))
        for page in book.pages:
            number = page.page_number
            if number in chosen:
                continue
            take = shown.get(number) or _next_take(session, preview_id, number)
            session.add(OrderPage(order_id=order.order_id, page_number=number, take=take))
        session.flush()
        order_jobs.plan(
            session,
            order_id=order.order_id,
            preview_id=preview_id,
            wanted=_painted(session, order),
            rendering=_rendering(order),
            shards=self.shards,
            now=self.clock.now(),
        )

    def _make(self, order_id: str, wanted: Callable[[Session, Order], list[Wanted]]) -> None:
        """Follow the jobs that make the wanted pictures, until all are there.

        Raises:
            StepFailed: a job failed, and the endpoint's attempts at it are spent; or somebody
                cancelled it there.
        """
        self._reopen(order_id, wanted)
        while not self._look_after(order_id, wanted):
            self.sleep(_POLL_S)

    def _reopen(self, order_id: str, wanted: Callable[[Session, Order], list[Wanted]]) -> None:
        with writing(self.engine) as session:
            order = _working(session, order_id)
            for job in self._jobs(session, order, wanted(session, order)):
                if job.status is JobStatus.FAILED:
                    self.ledger.reopen(session, job)

    def _look_after(self, order_id: str, wanted: Callable[[Session, Order], list[Wanted]]) -> bool:
        with reading(self.engine) as session:
            order = _seen(session.get(Order, order_id))
            missing = self._missing(session, order, wanted(session, order))
            if not missing:
                return True
        with writing(self.engine) as session:
            order = _working(session, order_id)
            jobs = self._jobs(session, order, wanted(session, order))
            for job in jobs:
                # One that was cancelled at the endpoint won't come back: the desk has to know.
                if job.status in (JobStatus.FAILED, JobStatus.CANCELLED):
                    raise StepFailed(_reason(job))
            alone = _rendering(order).identity_workflow is not None and len(missing) == len(
                wanted(session, order)
            )
            order_jobs.release(jobs, self.shards, self.clock.now(), alone=alone)
        return False

    def _jobs(self, session: Session, order: Order, wanted: Sequence[Wanted]) -> list[Job]:
        pages = order_jobs.pictures(session, _preview_id(order), wanted)
        return order_jobs.jobs_of(session, [page for page in pages if not _is_there(page)])

    def _missing(self, session: Session, order: Order, wanted: Sequence[Wanted]) -> list[Page]:
        pages = order_jobs.pictures(session, _preview_id(order), wanted)
        return [page for page in pages if not _is_there(page)]

    def _contents(self, session: Session, order: Order) -> Contents:
        preview = order_book.preview_of(session, order)
        book = self._book(session, order)
        enlarged = _enlarged(session, order, *print_pixels(self._profile(order)))
        painted = order_jobs.pictures(session, preview.preview_id, _painted(session, order))
        printed = order_jobs.pictures(session, preview.preview_id, enlarged)
        return Contents(
            order_id=order.order_id,
            book=book,
            profile=self._profile(order),
            words=words_of(
                book, preview.child_name, order.dedication, draft=_rendering(order).is_draft
            ),
            sheets=tuple(map(_sheet, painted, printed)),
            made_at=order.paid_at,
        )

    def _profile(self, order: Order) -> PrintProfile:
        profile = self.binder.profiles.get(order.print_profile or "")
        if profile is None:
            raise StepFailed("print_profile_unknown")
        return profile

    def _book(self, session: Session, order: Order) -> Book:
        try:
            return self.books.book(order_book.preview_of(session, order).book_id)
        except Problem as error:
            raise StepFailed(error.code) from None


def _working(session: Session, order_id: str) -> Order:
    """The order, held, if a run may work on it.

    Raises:
        RunStopped: it mustn't: it was held, cancelled, parked or is done.
    """
    return _seen(order_book.lock_order(session, order_id))


def _seen(order: Order | None) -> Order:
    if order is None or not order.status.is_working:
        raise RunStopped
    return order


def _preview_id(order: Order) -> str:
    if order.preview_id is None:
        raise StepFailed("preview_unknown")
    return order.preview_id


def _rendering(order: Order) -> Rendering:
    if order.rendering is None:
        raise StepFailed("not_reserved")
    return Rendering.model_validate(order.rendering)


def _takes(session: Session, order: Order) -> list[OrderPage]:
    return list(
        session.scalars(
            select(OrderPage)
            .where(OrderPage.order_id == order.order_id)
            .order_by(OrderPage.page_number)
        )
    )


def _painted(session: Session, order: Order) -> list[Wanted]:
    preview_id = _preview_id(order)
    return [
        Wanted(
            page_number=page.page_number,
            take=page.take,
            variant=AS_PAINTED,
            key=page_key(preview_id, page.page_number, page.take),
            seed=seed_for(preview_id, page.page_number, page.take),
        )
        for page in _takes(session, order)
    ]


def _enlarged(session: Session, order: Order, width: int, height: int) -> list[Wanted]:
    preview_id = _preview_id(order)
    return [
        Wanted(
            page_number=page.page_number,
            take=page.take,
            variant=print_variant(width, height),
            key=print_page_key(preview_id, page.page_number, page.take, width, height),
            seed=0,
        )
        for page in _takes(session, order)
    ]


def _reusable(session: Session, preview_id: str, wanted: Rendering) -> dict[int, int]:
    """The takes that the parent sees and that are rendered as the order is: by page number."""
    rows = session.execute(
        select(Page, Job)
        .join(Job, Job.job_id == Page.job_id)
        .where(Page.preview_id == preview_id, Page.variant == AS_PAINTED)
    ).all()
    made_by = {(page.page_number, page.take): job for page, job in rows}
    shown = shown_pages([page for page, _ in rows])
    return {
        number: page.take
        for number, page in shown.items()
        if page.status is PageStatus.COMPLETED
        and Rendering.model_validate(made_by[number, page.take].rendering) == wanted
    }


def _next_take(session: Session, preview_id: str, page_number: int) -> int:
    latest = session.scalar(
        select(func.max(Page.take)).where(
            Page.preview_id == preview_id, Page.page_number == page_number
        )
    )
    return (latest or 0) + 1


def _sheet(painted: Page, printed: Page) -> Sheet:
    if not (painted.sha256 and printed.sha256):
        raise StepFailed("page_missing")
    return Sheet(
        page_number=painted.page_number,
        painted_key=painted.key,
        painted_sha256=painted.sha256,
        print_key=printed.key,
        print_sha256=printed.sha256,
    )


def _is_there(page: Page) -> bool:
    return page.status is PageStatus.COMPLETED


def _reason(job: Job) -> str:
    if job.status is JobStatus.CANCELLED:
        return "cancelled"
    return str((job.error or {}).get("code", "internal"))
