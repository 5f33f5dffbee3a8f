"""A PDF in the making: pages onto a file one by one, and what they share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Literal

from gateway.pdf.canvas import Canvas
from gateway.pdf.content import BookContent, Picture
from gateway.pdf.fonts import Cluster, Face
from gateway.pdf.geometry import Sheet
from gateway.pdf.pictures import Embedded, Encoding, embed, srgb_profile
from gateway.pdf.writer import PdfWriter, Ref, date_string, text_string

_PRODUCER = "Foxetales"


class Document:
    """Pages are written as they come; fonts, the list of pages and the metadata at the end."""

    def __init__(self, out: BinaryIO, encoding: Encoding) -> None:
        self._writer = PdfWriter(out)
        self._encoding = encoding
        self._tree = self._writer.reserve()
        self._pages: list[Ref] = []
        self._fonts: dict[Face, tuple[Ref, dict[int, str]]] = {}
        self._pictures: dict[Picture, Embedded] = {}
        self._colours = self._writer.add_stream(srgb_profile(), "/N 3 /Alternate /DeviceRGB")

    @property
    def page_count(self) -> int:
        """Pages so far."""
        return len(self._pages)

    def embed(self, picture: Picture) -> Embedded:
        """Writes a picture, once. Raises PictureUnreadable."""
        if picture not in self._pictures:
            made = embed(picture, self._encoding, self._writer, self._colours)
            self._pictures[picture] = made
        return self._pictures[picture]

    @contextmanager
    def page(self, sheet: Sheet) -> Iterator[Canvas]:
        """A canvas that becomes the next page."""
        canvas = Canvas(self._name_font)
        yield canvas
        boxes = f"/MediaBox {sheet.media.array()} /TrimBox {sheet.trim.array()}"
        boxes += f" /BleedBox {sheet.bleed.within(sheet.media).array()}"
        content = canvas.content()
        contents = f"/Contents {self._writer.add_stream(content)} 0 R" if content else ""
        fonts = {f"F{ref}": ref for ref, _ in self._fonts.values() if f"F{ref}" in canvas.fonts}
        self._pages.append(
            self._writer.add(
                f"<< /Type /Page /Parent {self._tree} 0 R {boxes} /Resources << "
                f"/ColorSpace << /sRGB [/ICCBased {self._colours} 0 R] >> "
                f"/Font {_names(fonts)} /XObject {_names(canvas.pictures)} >> {contents} >>"
            )
        )

    def _name_font(self, face: Face, clusters: list[Cluster]) -> str:
        if face not in self._fonts:
            self._fonts[face] = (self._writer.reserve(), {})
        ref, used = self._fonts[face]
        for glyph in (glyph for cluster in clusters for glyph in cluster.glyphs):
            if not used.get(glyph.gid):
                used[glyph.gid] = glyph.text
        return f"F{ref}"

    def finish(self, book: BookContent, layout: Literal["SinglePage", "TwoPageRight"]) -> None:
        """Completes the file."""
        for face, (ref, used) in self._fonts.items():
            face.write(self._writer, used, ref)
        kids = " ".join(f"{page} 0 R" for page in self._pages)
        self._writer.add(f"<< /Type /Pages /Kids [{kids}] /Count {len(self._pages)} >>", self._tree)
        info = self._writer.add(
            f"<< /Title {text_string(book.title)} /Author {text_string(book.author)} "
            f"/Producer ({_PRODUCER}) /CreationDate {date_string(book.made_at)} "
            f"/ModDate {date_string(book.made_at)} /Trapped /False >>"
        )
        catalog = self._writer.add(
            f"<< /Type /Catalog /Pages {self._tree} 0 R /Lang {text_string(book.language)} "
            f"/PageLayout /{layout} /ViewerPreferences << /DisplayDocTitle true >> "
            "/OutputIntents [<< /Type /OutputIntent /S /GTS_PDFA1 "
            "/OutputConditionIdentifier (sRGB) /Info (sRGB IEC61966-2.1) "
            f"/DestOutputProfile {self._colours} 0 R >>] >>"
        )
        self._writer.finish(catalog, info)


def _names(refs: dict[str, Ref]) -> str:
    return f"<< {' '.join(f'/{name} {ref} 0 R' for name, ref in refs.items())} >>"
