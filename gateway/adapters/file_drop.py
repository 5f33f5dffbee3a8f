"""Print jobs as folders, for a printer who fetches them: the default.

A job is one folder ``{external_id}`` below the drop, there whole or not at all::

    full_book.pdf   cover.pdf   job.json   ticket.txt

The printer may add ``status.json``, by which the job is followed::

    {"status": "shipped", "tracking_urls": ["https://…"], "carrier": "…", "message": "…"}
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from gateway.one_line import one_line
from gateway.ports import (
    ObjectStore,
    PrintError,
    PrintFile,
    PrintJob,
    PrintOrder,
    PrintRejected,
    PrintStatus,
)
from gateway.web_links import web_links
from storage.errors import StoreError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_JOB: Final = "job.json"
_STATUS: Final = "status.json"
_MAX_STATUS_BYTES: Final = 64 * 1024


class _Status(BaseModel):
    """What the printer writes. Spelling is taken as people do it: ``In production`` will do."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: PrintStatus
    tracking_urls: list[str] = []
    carrier: str = ""
    message: str = ""

    @field_validator("status", mode="before")
    @classmethod
    def _as_people_write_it(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        word = re.sub(r"[ _-]+", "_", value.strip().lower())
        return "cancelled" if word == "canceled" else word


class FileDrop:
    """A drop folder. Its owner decides who may read it: job folders carry addresses.

    Several processes may drop the same job at the same time; it is written once.
    """

    def __init__(self, directory: Path, store: ObjectStore) -> None:
        self._drop = directory
        self._store = store

    def cover_size_in(self, product: str, pages: int) -> None:  # noqa: ARG002  # the port has it
        """None: covers are as large as the print profile says."""
        return

    def find(self, external_id: str) -> PrintJob | None:
        """The job of that name, or None.

        Raises:
            PrintError: the drop can't be read, or the printer's ``status.json`` makes no sense.
        """
        if not self._is_there(external_id):
            return None
        told = self._told(external_id)
        return PrintJob(
            vendor_id=external_id,
            external_id=external_id,
            status=told.status,
            tracking_urls=web_links(told.tracking_urls),
            carrier=one_line(told.carrier),
            message=one_line(told.message),
        )

    state = find  # one name for both: the folder's

    def submit(self, order: PrintOrder) -> PrintJob:
        """Write the job's folder, unless it is there.

        Raises:
            PrintRejected: the order's name can't be a folder's.
            PrintError: a file is missing, or isn't the one that was ordered, or can't be written.
        """
        if not _NAME.fullmatch(order.external_id):
            raise PrintRejected({"external_id": "can't be the name of a folder"})
        if not self._is_there(order.external_id):
            with _translated():
                self._write(order)
        return self._found(order.external_id)

    def cancel(self, vendor_id: str) -> bool:
        """Call the job back, by writing ``status.json`` in the printer's place. Once the printer
        has written one it is too late.

        Raises:
            PrintError.
        """
        if self.find(vendor_id) is None:
            return False
        folder = self._drop / vendor_id
        note = folder / f".{_STATUS}-{secrets.token_hex(4)}"
        with _translated():
            try:
                _write_file(note, json.dumps({"status": PrintStatus.CANCELLED}).encode())
                with suppress(FileExistsError):
                    (folder / _STATUS).hardlink_to(note)  # unlike a rename, it replaces nothing
            finally:
                note.unlink(missing_ok=True)
            _sync_folder(folder)
        return self._told(vendor_id).status is PrintStatus.CANCELLED

    def _found(self, external_id: str) -> PrintJob:
        job = self.find(external_id)
        if job is None:
            raise PrintError("the print job's folder vanished as soon as it was written")
        return job

    def _is_there(self, external_id: str) -> bool:
        if not _NAME.fullmatch(external_id):
            return False
        with _translated():
            return (self._drop / external_id / _JOB).is_file()

    def _told(self, external_id: str) -> _Status:
        with _translated():
            try:
                with (self._drop / external_id / _STATUS).open("rb") as file:
                    text = file.read(_MAX_STATUS_BYTES)
            except FileNotFoundError:
                return _Status(status=PrintStatus.ACCEPTED)
        try:
            return _Status.model_validate_json(text.removeprefix(b"\xef\xbb\xbf"))
        except ValidationError:
            raise PrintError(f"the status.json of print job {external_id} can't be read") from None

    def _write(self, order: PrintOrder) -> None:
        self._drop.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._drop / f".part-{order.external_id}-{secrets.token_hex(4)}"
        with _locked(self._drop):  # so that nobody sweeps between the next two steps
            self._sweep(order.external_id)
            part.mkdir()
            held = _lock(part)
        try:
            self._fill(part, order)
            _sync_folder(part)
            part.rename(self._drop / order.external_id)
        except OSError:
            if not self._is_there(order.external_id):
                raise  # otherwise another process was faster, with the same content
        finally:
            shutil.rmtree(part, ignore_errors=True)
            os.close(held)
        _sync_folder(self._drop)

    def _sweep(self, external_id: str) -> None:
        """Remove what writers left that died: theirs is the folder that nobody holds."""
        for left in self._drop.glob(f".part-{external_id}-????????"):
            try:
                handle = _lock(left, fcntl.LOCK_NB)
            except (BlockingIOError, FileNotFoundError):
                continue  # its writer is at work, or has just finished
            shutil.rmtree(left, ignore_errors=True)
            os.close(handle)

    def _fill(self, folder: Path, order: PrintOrder) -> None:
        for name, file in (("full_book.pdf", order.interior), ("cover.pdf", order.cover)):
            self._fetch(file, folder / name)
        _write_file(folder / _JOB, _job_document(order).encode())
        _write_file(folder / "ticket.txt", _ticket(order).encode())

    def _fetch(self, file: PrintFile, path: Path) -> None:
        """Write the file to ``path``, a part at a time: books are large."""
        try:
            self._store.get_file(file.key, path, file.size_bytes)
        except StoreError as error:
            raise PrintError(f"{file.key} can't be fetched: {type(error).__name__}") from error
        with path.open("rb+") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
            os.fsync(written.fileno())
        if digest != file.sha256:
            raise PrintError(f"{file.key} isn't the file that was ordered: other checksum")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PrintError(f"the drop folder failed: {error.strerror}") from error


def _lock(folder: Path, flags: int = 0) -> int:
    """Lock a folder against other processes and threads; what is returned is to be closed. The
    lock ends with its process, however that ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | flags)
    except BaseException:
        os.close(handle)
        raise
    return handle


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = _lock(folder)
    try:
        yield
    finally:
        os.close(handle)


def _write_file(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _job_document(order: PrintOrder) -> str:
    """The job for machines. Links are left out: the files lie beside it."""

    def named(name: str, file: PrintFile) -> dict[str, object]:
        return {
            "file": name,
            "md5": file.md5,
            "sha256": file.sha256,
            "size_bytes": file.size_bytes,
        }

    document = {
        "format": 1,
        "external_id": order.external_id,
        "title": order.title,
        "quantity": order.quantity,
        "product": order.product,
        "print_profile": order.profile_id,
        "pages": order.pages,
        "interior": named("full_book.pdf", order.interior),
        "cover": named("cover.pdf", order.cover),
        "shipping_level": order.shipping_level,
        "ship_to": asdict(order.ship_to),
        "contact_email": order.contact_email,
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _ticket(order: PrintOrder) -> str:
    """The job for people."""
    to = order.ship_to
    place = " ".join(part for part in (to.postcode, to.city, to.state) if part)
    address = [to.name, to.line1, to.line2, place, to.country]
    lines = [
        f"PRINT JOB {order.external_id}",
        "",
        f"Title      {one_line(order.title)}",
        f"Copies     {order.quantity}",
        f"Product    {one_line(order.product)} (print profile {one_line(order.profile_id)})",
        f"Interior   full_book.pdf, {order.pages} pages",
        "Cover      cover.pdf",
        f"Shipping   {one_line(order.shipping_level)}",
        "",
        "Ship to",
        *(f"  {one_line(part)}" for part in address if one_line(part)),
        *([f"  Phone {one_line(to.phone)}"] if one_line(to.phone) else []),
        "",
        f"Questions  {one_line(order.contact_email)}",
        "",
        "Before you print, compare the checksums (sha256sum):",
        f"  {order.interior.sha256}  full_book.pdf",
        f"  {order.cover.sha256}  cover.pdf",
        "",
        "Tell us how it goes by a file status.json in this folder. If there is one already that",
        'says "cancelled", please don\'t print.',
        '  {"status": "in_production"}',
        '  {"status": "shipped", "tracking_urls": ["https://..."], "carrier": "..."}',
        '  {"status": "rejected", "message": "why"}',
    ]
    return "\n".join(lines) + "\n"
