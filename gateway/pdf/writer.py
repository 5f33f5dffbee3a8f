"""PDF objects into a file, one after the other; nothing but their offsets is kept.

What this writes is described in ISO 32000-1, 7.3 (objects) and 7.5 (file structure). A PDF library
keeps a whole document before it writes it: with pictures for print, hundreds of megabytes.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import BinaryIO

Ref = int
"""The number of an object."""


def number(value: float) -> str:
    """A number as PDF writes it: no exponent, at most four decimals (1/720,000 in)."""
    return f"{value:.4f}".rstrip("0").rstrip(".") if value % 1 else str(int(value))


def text_string(text: str) -> str:
    """A text for metadata, in any script."""
    return f"<FEFF{text.encode('utf-16-be').hex().upper()}>"


def date_string(moment: datetime) -> str:
    """A moment (aware) as a PDF date in UTC."""
    return f"(D:{moment.astimezone(UTC):%Y%m%d%H%M%S}Z)"


class PdfWriter:
    """Writes to a binary file that need not be seekable. Every bytes out depend on the input only:
    the file's id is a digest of what was written."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._at = 0
        self._digest = hashlib.blake2b(digest_size=16)
        self._offsets: dict[Ref, int] = {}
        self._last: Ref = 0
        # The second line tells transfer programs that the file is binary.
        self._write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._digest.update(data)
        self._at += len(data)

    def reserve(self) -> Ref:
        """A number for an object that is written later."""
        self._last += 1
        return self._last

    def _begin(self, ref: Ref | None) -> Ref:
        ref = ref or self.reserve()
        self._offsets[ref] = self._at
        self._write(b"%d 0 obj\n" % ref)
        return ref

    def add(self, body: str, ref: Ref | None = None) -> Ref:
        """One object; the body is PDF syntax in ASCII."""
        ref = self._begin(ref)
        self._write(body.encode("ascii") + b"\nendobj\n")
        return ref

    @contextmanager
    def stream(
        self, entries: str, ref: Ref | None = None
    ) -> Iterator[tuple[Ref, Callable[[bytes], None]]]:
        """A stream whose length shows at its end; gives its number and what writes into it."""
        length = self.reserve()
        ref = self._begin(ref)
        self._write(f"<< {entries} /Length {length} 0 R >>\nstream\n".encode("ascii"))
        start = self._at
        yield ref, self._write
        size = self._at - start
        self._write(b"\nendstream\nendobj\n")
        self.add(str(size), length)

    def add_stream(self, data: bytes, entries: str = "", ref: Ref | None = None) -> Ref:
        """A stream of bytes, deflated."""
        packed = zlib.compress(data)
        ref = self._begin(ref)
        head = f"<< {entries} /Filter /FlateDecode /Length {len(packed)} >>\nstream\n"
        self._write(head.encode("ascii") + packed + b"\nendstream\nendobj\n")
        return ref

    def finish(self, catalog: Ref, info: Ref) -> None:
        """The table of offsets and the trailer; the file is whole after this."""
        start = self._at
        rows = [f"{self._offsets[ref]:010d} 00000 n \n" for ref in range(1, self._last + 1)]
        table = f"xref\n0 {self._last + 1}\n0000000000 65535 f \n" + "".join(rows)
        self._write(table.encode("ascii"))
        mark = self._digest.hexdigest()
        self._write(
            f"trailer\n<< /Size {self._last + 1} /Root {catalog} 0 R /Info {info} 0 R "
            f"/ID [<{mark}> <{mark}>] >>\nstartxref\n{start}\n%%EOF\n".encode("ascii")
        )
