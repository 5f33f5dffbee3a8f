"""What a parent may do with a preview: ask for it, ask for another take of a page, try again.

Functions block and are safe to call at once from many threads and gateways: the UNIQUE keys of
the records decide who was first.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from contract.keys import page_key
from contract.status import TERMINAL_STATUSES, JobStatus, PageStatus
from gateway.catalogue import STYLES
from gateway.errors import Problem
from gateway.gpu_budget import check_budget
from gateway.ids import new_id
from gateway.jobs import QUEUED_STEP, seed_for
from gateway.looks import Rendering, rendering
from gateway.records import Job, Page, Photo, Preview, lock, reading, writing
from gateway.schema import PageRequest, PreviewRequest
from gateway.services import Services
from gateway.unlocked import unlocking_order

PREVIEW = "preview"
PAGE = "page"


@dataclass(frozen=True)
class Queued:
    """A job that was queued, now or by the same request before; ``draft`` tells of its look."""

    job_id: str
    preview_id: str
    draft: bool
    pages: int


def create_preview(
    services: Services, request: PreviewRequest, idempotency_key: str | None, shop_id: str
) -> Queued:
    """Queue the preview of a book, which a parent sees in the shop ``shop_id``.

    Raises:
        Problem: ``book_unknown``, ``style_unknown``, ``appearance_unknown``, ``photo_unknown``,
            ``gpu_budget_spent``, or ``idempotency_key_reused`` with another request.
    """
    book = services.books.book(request.book_id)
    style = request.style or STYLES[0]
    if style not in STYLES:
        raise Problem("style_unknown", f"Styles of this book: {', '.join(STYLES)}.")
    if request.appearance is not None:
        services.books.appearance(request.appearance)
    now = services.clock.now()
    preview = Preview(
        preview_id=new_id(),
        photo_id=request.photo_id,
        shop_id=shop_id,
        book_id=book.id,
        child_name=request.child_name,
        child_age=request.child_age,
        child_gender=request.child_gender,
        appearance=request.appearance,
        style=style,
        session_id=request.session_id,
        idempotency_key=idempotency_key,
        request_hash=_hash(request),
        created_at=now,
        expires_at=now + timedelta(days=services.settings.preview_life_days),
    )
    settings = services.settings
    chosen = rendering(book, settings.page_look, settings.preview_quality)
    try:
        with writing(services.engine) as session:
            photo = _check_photo(services, session, request.photo_id)
            # A book is painted from its photo: it can't be bought for longer than that is there.
            preview.expires_at = min(preview.expires_at, photo.expires_at)
            session.add(preview)
            session.flush()
            _check_budget(services, session, len(book.preview_pages))
            job = _new_job(services, preview, PREVIEW, chosen)
            session.add(job)
            session.flush()
            session.add_all(_new_page(job, number, take=1) for number in book.preview_pages)
    except IntegrityError:
        return _created_before(services, request, idempotency_key)
    return _queued(job, len(book.preview_pages))


def request_page(services: Services, request: PageRequest, idempotency_key: str | None) -> Queued:
    """Queue another take of a preview page; the newest completed take is the one shown.

    It is rendered as the preview was, so that the pages of one preview go together.

    Raises:
        Problem: ``preview_unknown``, ``photo_unknown``, ``page_unknown``, ``page_locked``,
            ``book_paid``, ``job_in_progress`` while the page is being rendered,
            ``gpu_budget_spent``, or ``idempotency_key_reused``.
    """
    try:
        with writing(services.engine) as session:
            preview = _living_preview(services, session, request.preview_id)
            chosen = Rendering.model_validate(_own_job(session, preview.preview_id).rendering)
            job = _new_job(services, preview, PAGE, chosen, idempotency_key, _hash(request))
            session.add(job)
            session.flush()  # the UNIQUE key speaks before anything else is looked at
            _check_page(services, preview, request.page_number)
            _check_unpaid(session, preview)
            _check_photo(services, session, preview.photo_id)
            _check_idle(session, request, job)
            _check_budget(services, session, 1)
            latest = session.scalar(
                select(func.max(Page.take)).where(
                    Page.preview_id == request.preview_id, Page.page_number == request.page_number
                )
            )
            session.add(
                _new_page(job, request.page_number, take=(latest or 0) + 1, seed=request.seed)
            )
    except IntegrityError:
        return _requested_before(services, request, idempotency_key)
    return _queued(job, 1)


def retry(services: Services, job_id: str, token_preview_id: str | None) -> Queued:
    """Queue a failed job again, with a new budget; only its missing pages are rendered.

    Raises:
        Problem: ``job_unknown``, also for another parent's job; ``job_not_failed``;
            ``photo_unknown`` when it has expired; ``gpu_budget_spent``; ``book_paid`` for a job
            that doesn't work for the order.
    """
    with writing(services.engine) as session:
        job = lock(session, job_id)
        if job is None or job.preview_id != token_preview_id:
            raise Problem("job_unknown")
        preview = session.get_one(Preview, job.preview_id)
        if preview.expires_at <= services.clock.now():
            raise Problem("job_unknown")
        if job.status is not JobStatus.FAILED:
            raise Problem("job_not_failed")
        _check_photo(services, session, preview.photo_id)
        pages = _count_pages(session, job_id)
        if job.order_id is None:
            _check_unpaid(session, preview)
            _check_budget(services, session, pages)
        services.dispatcher.ledger.reopen(session, job)
    return _queued(job, pages)


def _new_job(
    services: Services,
    preview: Preview,
    kind: str,
    chosen: Rendering,
    idempotency_key: str | None = None,
    request_hash: str | None = None,
) -> Job:
    now = services.clock.now()
    return Job(
        job_id=new_id(),
        preview_id=preview.preview_id,
        kind=kind,
        rendering=chosen.model_dump(mode="json"),
        idempotency_key=idempotency_key,
        request_hash=request_hash or preview.request_hash,
        status=JobStatus.QUEUED,
        current_step=QUEUED_STEP,
        next_dispatch_at=now,
        queued_at=now,
    )


def _queued(job: Job, pages: int) -> Queued:
    draft = Rendering.model_validate(job.rendering).is_draft
    return Queued(job.job_id, job.preview_id, draft, pages)


def _own_job(session: Session, preview_id: str) -> Job:
    """The job that the preview was ordered by."""
    return session.scalars(
        select(Job).where(Job.preview_id == preview_id, Job.kind == PREVIEW)
    ).one()


def _new_page(job: Job, page_number: int, take: int, seed: int | None = None) -> Page:
    return Page(
        preview_id=job.preview_id,
        page_number=page_number,
        take=take,
        job_id=job.job_id,
        status=PageStatus.PENDING,
        seed=seed_for(job.preview_id, page_number, take) if seed is None else seed,
        key=page_key(job.preview_id, page_number, take),
    )


def _hash(request: BaseModel) -> str:
    # Without the fields left out: one that is added later doesn't make another request of it.
    return hashlib.sha256(request.model_dump_json(exclude_none=True).encode()).hexdigest()


def _check_photo(services: Services, session: Session, photo_id: str) -> Photo:
    photo = session.get(Photo, photo_id)
    if photo is None or photo.expires_at <= services.clock.now():
        raise Problem("photo_unknown")
    return photo


def _check_budget(services: Services, session: Session, pages: int) -> None:
    budget = services.settings.gpu_budget_pages
    check_budget(session, services.clock.now(), pages=pages, budget=budget)


def _living_preview(services: Services, session: Session, preview_id: str) -> Preview:
    preview = session.get(Preview, preview_id, with_for_update=True)
    if preview is None or preview.expires_at <= services.clock.now():
        raise Problem("preview_unknown")
    return preview


def _check_page(services: Services, preview: Preview, page_number: int) -> None:
    book = services.books.book(preview.book_id)
    if page_number not in {page.page_number for page in book.pages}:
        raise Problem("page_unknown")
    if page_number not in book.preview_pages:
        raise Problem("page_locked")


def _check_unpaid(session: Session, preview: Preview) -> None:
    """A paid book has takes of its own: what a parent had painted now wouldn't be in it."""
    if unlocking_order(session, preview.preview_id) is not None:
        raise Problem("book_paid")


def _check_idle(session: Session, request: PageRequest, new: Job) -> None:
    running = session.scalar(
        select(Job.job_id)
        .join(Page, Page.job_id == Job.job_id)
        .where(Page.preview_id == request.preview_id, Page.page_number == request.page_number)
        .where(Job.status.not_in(TERMINAL_STATUSES), Job.job_id != new.job_id)
        .limit(1)
    )
    if running is not None:
        raise Problem("job_in_progress")


def _count_pages(session: Session, job_id: str) -> int:
    return session.scalar(select(func.count()).where(Page.job_id == job_id)) or 0


def _created_before(services: Services, request: PreviewRequest, key: str | None) -> Queued:
    with reading(services.engine) as session:
        preview = session.scalars(
            select(Preview).where(
                Preview.photo_id == request.photo_id, Preview.idempotency_key == key
            )
        ).one_or_none()
        if preview is None:
            raise Problem("photo_unknown")  # it went between the look at it and the insert
        if preview.request_hash != _hash(request):
            raise Problem("idempotency_key_reused")
        job = _own_job(session, preview.preview_id)
        return _queued(job, _count_pages(session, job.job_id))


def _requested_before(services: Services, request: PageRequest, key: str | None) -> Queued:
    with reading(services.engine) as session:
        job = session.scalars(
            select(Job).where(Job.preview_id == request.preview_id, Job.idempotency_key == key)
        ).one_or_none()
        if job is None:
            # Not the idempotency key: another gateway took this take's number first.
            raise Problem("job_in_progress")
        if job.request_hash != _hash(request):
            raise Problem("idempotency_key_reused")
        return _queued(job, 1)
