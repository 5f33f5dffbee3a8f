"""Fonts: which characters they have, how a text becomes glyphs, and a subset in the PDF.

Shaping and subsetting are HarfBuzz's. Text is NFC, so that a Vietnamese letter is one glyph. It is
set from left to right: right-to-left scripts are refused, since a name of theirs inside a sentence
needs the bidirectional algorithm too, and half of that would print garbage.
"""

from __future__ import annotations

import hashlib
import re
import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

import uharfbuzz as hb

from gateway.pdf.errors import CharacterUnprintable, FontMissing
from gateway.pdf.writer import PdfWriter, Ref, number

_DEBIAN = Path("/usr/share/fonts/truetype")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "FSI"})
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_WORDS = re.compile(r"\s+|\S+")
_NEEDED_TABLES = frozenset(
    {"glyf", "loca", "head", "hhea", "hmtx", "maxp", "cvt ", "fpgm", "prep"}
)  # ISO 32000-1, 9.9


@dataclass(frozen=True)
class FontFiles:
    """TrueType files: for stories, for titles, and for characters that these two lack."""

    regular: Path = _DEBIAN / "andika" / "Andika-Regular.ttf"
    bold: Path = _DEBIAN / "andika" / "Andika-Bold.ttf"
    fallback: Path = _DEBIAN / "dejavu" / "DejaVuSans.ttf"
    bold_fallback: Path = _DEBIAN / "dejavu" / "DejaVuSans-Bold.ttf"


@dataclass(frozen=True)
class Glyph:
    """A glyph of a face. Lengths in em; text is what it stands for by itself, if anything."""

    gid: int
    advance: float
    dx: float
    dy: float
    text: str


@dataclass(frozen=True)
class Cluster:
    """Glyphs that stand for a text together; mostly one glyph for one character."""

    text: str
    glyphs: tuple[Glyph, ...]


class Face:
    """One font file. Raises FontMissing."""

    def __init__(self, path: Path) -> None:
        try:
            blob = hb.Blob(path.read_bytes())
        except OSError as error:
            raise FontMissing(path) from error
        self._face = hb.Face(blob)
        if "glyf" not in self._face.table_tags or not self._face.upem:
            raise FontMissing(path)
        self._font = hb.Font(self._face)
        self.name = path.stem
        self._characters = frozenset(self._face.unicodes)

    def has(self, text: str) -> bool:
        """Whether every character is there."""
        return all(ord(one) in self._characters or _invisible(one) for one in text)

    def shape(self, text: str) -> list[Cluster]:
        """The glyphs of a text that the face has, kerned, without ligatures."""
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = "ltr"
        hb.shape(self._font, buffer, {"liga": False, "clig": False})
        shaped = zip(buffer.glyph_infos, buffer.glyph_positions, strict=True)
        groups = [(start, list(group)) for start, group in groupby(shaped, lambda s: s[0].cluster)]
        ends = [*(start for start, _ in groups[1:]), len(text)]
        return [
            self._cluster(text[start:end], group)
            for (start, group), end in zip(groups, ends, strict=True)
        ]

    def _cluster(self, text: str, group: list[tuple[hb.GlyphInfo, hb.GlyphPosition]]) -> Cluster:
        em = self._face.upem
        return Cluster(
            text,
            tuple(
                Glyph(
                    info.codepoint,
                    place.x_advance / em,
                    place.x_offset / em,
                    place.y_offset / em,
                    text if len(group) == 1 else self._own_text.get(info.codepoint, ""),
                )
                for info, place in group
            ),
        )

    @cached_property
    def _own_text(self) -> dict[int, str]:
        """What each glyph stands for by itself."""
        return {self._font.get_nominal_glyph(one): chr(one) for one in sorted(self._characters)}

    def advance(self, gid: int) -> float:
        """A glyph's own advance, em."""
        return float(self._font.get_glyph_h_advance(gid)) / float(self._face.upem)

    def _subset(self, gids: frozenset[int]) -> bytes:
        chosen = hb.SubsetInput()
        chosen.glyph_set.update(gids)
        # Glyphs keep their numbers: the page was written with them before the subset is made.
        chosen.flags = hb.SubsetFlags.RETAIN_GIDS | hb.SubsetFlags.NO_LAYOUT_CLOSURE
        chosen.sets(hb.SubsetInputSets.DROP_TABLE_TAG).update(
            int.from_bytes(tag.encode("ascii"), "big")
            for tag in self._face.table_tags
            if tag not in _NEEDED_TABLES
        )
        return bytes(hb.subset(self._face, chosen).blob.data)

    def write(self, writer: PdfWriter, used: dict[int, str], ref: Ref) -> None:
        """The font with the glyphs used, and what text they stand for (ISO 32000-1, 9.7)."""
        gids = sorted(used)
        subset = self._subset(frozenset(gids))
        file = writer.add_stream(subset, f"/Length1 {len(subset)}")
        to_unicode = writer.add_stream(_to_unicode(used))
        name = f"{_tag(subset)}+{self.name}"
        descriptor = writer.add(self._descriptor(name, file))
        widths = " ".join(f"{gid} [{number(1000 * self.advance(gid))}]" for gid in gids)
        descendant = writer.add(
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{name} /CIDToGIDMap /Identity "
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
            f"/FontDescriptor {descriptor} 0 R /DW 1000 /W [{widths}] >>"
        )
        writer.add(
            f"<< /Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /Identity-H "
            f"/DescendantFonts [{descendant} 0 R] /ToUnicode {to_unicode} 0 R >>",
            ref,
        )

    def _descriptor(self, name: str, file: Ref) -> str:
        scale = 1000 / self._face.upem
        head = self._face.reference_table("head").data
        box = " ".join(number(round(side * scale)) for side in struct.unpack(">4h", head[36:44]))
        extents = self._font.get_font_extents("ltr")
        ascent, descent = round(extents.ascender * scale), round(extents.descender * scale)
        return (
            f"<< /Type /FontDescriptor /FontName /{name} /Flags 4 /FontBBox [{box}] "
            f"/ItalicAngle 0 /Ascent {ascent} /Descent {descent} /CapHeight 700 /StemV 80 "
            f"/FontFile2 {file} 0 R >>"
        )


def _tag(subset: bytes) -> str:
    """Six letters that name a subset (ISO 32000-1, 9.6.4)."""
    return "".join(chr(65 + byte % 26) for byte in hashlib.sha256(subset).digest()[:6])


def _to_unicode(used: dict[int, str]) -> bytes:
    """The map from glyphs to texts (ISO 32000-1, 9.10.3)."""
    rows = [
        f"<{gid:04X}> <{text.encode('utf-16-be').hex().upper()}>\n"
        for gid, text in sorted(used.items())
        if text
    ]
    blocks = [rows[start : start + 100] for start in range(0, len(rows), 100)]
    body = "".join(f"{len(block)} beginbfchar\n{''.join(block)}endbfchar\n" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        f"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n{body}"
        "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode("ascii")


@dataclass(frozen=True)
class Typeface:
    """A face, and the one that helps out where it lacks a character."""

    main: Face
    fallback: Face

    def runs(self, text: str, where: str) -> Iterator[tuple[Face, str]]:
        """Parts of an NFC text, each with the face that has it; a word has one face, if it can.

        Raises CharacterUnprintable; ``where`` is for its message.
        """
        _check_kinds(text, where)
        pieces = (piece for word in _WORDS.findall(text) for piece in self._pieces(word, where))
        for face, run in groupby(pieces, lambda piece: piece[0]):
            yield face, "".join(part for _, part in run)

    def _pieces(self, word: str, where: str) -> Iterator[tuple[Face, str]]:
        face = self._face_for(word)
        if face:
            yield face, word
            return
        for cluster in _clusters(word):
            # HarfBuzz takes a letter and its marks where a font lacks what they make together.
            face = self._face_for(cluster) or self._face_for(unicodedata.normalize("NFD", cluster))
            if not face:
                lacking = next((one for one in cluster if not self._face_for(one)), cluster[0])
                raise CharacterUnprintable(lacking, where, "no font has it")
            yield face, cluster

    def _face_for(self, text: str) -> Face | None:
        return next((face for face in (self.main, self.fallback) if face.has(text)), None)

    def shape(self, text: str, where: str) -> list[tuple[Face, list[Cluster]]]:
        """The glyphs of a line of NFC text. Raises CharacterUnprintable."""
        return [(face, face.shape(run)) for face, run in self.runs(text, where)]

    def width(self, text: str, where: str) -> float:
        """A line's width in em. Raises CharacterUnprintable."""
        clusters = (cluster for _, run in self.shape(text, where) for cluster in run)
        return sum(glyph.advance for cluster in clusters for glyph in cluster.glyphs)


def _check_kinds(text: str, where: str) -> None:
    for character in text:
        if unicodedata.bidirectional(character) in _RIGHT_TO_LEFT:
            raise CharacterUnprintable(character, where, "right-to-left isn't supported")
        if unicodedata.category(character) in _UNSEEN:
            raise CharacterUnprintable(character, where, "it is no character to be seen")
        if character == "\ufffd":
            raise CharacterUnprintable(character, where, "it stands for one that was lost")


def _invisible(character: str) -> bool:
    """Whether it only tells how the one before is drawn: a variation selector."""
    return "\ufe00" <= character <= "\ufe0f"


def _clusters(text: str) -> Iterator[str]:
    """Characters with the marks that belong to them."""
    cluster = ""
    for character in text:
        joins = unicodedata.category(character) in ("Mn", "Me", "Mc")
        if cluster and not joins:
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


@dataclass(frozen=True)
class FontSet:
    """The faces of a book."""

    regular: Typeface
    bold: Typeface


def load_fonts(files: FontFiles | None = None) -> FontSet:
    """The fonts in these files, Debian's by default. Raises FontMissing."""
    files = files or FontFiles()
    return FontSet(
        Typeface(Face(files.regular), Face(files.fallback)),
        Typeface(Face(files.bold), Face(files.bold_fallback)),
    )
