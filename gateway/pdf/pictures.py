"""Pictures into a PDF, one at a time.

A PNG of 8-bit RGB is a PDF image already: its compressed data is copied as it is, chunk by chunk
(ISO 32000-1, 7.4.4.4, PNG predictors). Other PNGs, and encodings other than lossless, are decoded.
Pictures are taken to be sRGB. Where one is transparent, white paper shows.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, ImageCms

from gateway.pdf.content import Picture
from gateway.pdf.errors import PictureUnreadable
from gateway.pdf.writer import PdfWriter, Ref
from gateway.print_profiles import Jpeg, Lossless

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST_CHUNK = 64 << 20
_COPYABLE = (8, 2, 0, 0, 0)  # bits, RGB, deflate, adaptive filters, not interlaced


@dataclass(frozen=True)
class Screen:
    """JPEG for reading on a screen: at most so many pixels at the longer side."""

    quality: int
    longest_px: int


Encoding = Lossless | Jpeg | Screen


@dataclass(frozen=True)
class Embedded:
    """A picture in the file: its object and its size in pixels there."""

    ref: Ref
    width: int
    height: int


def srgb_profile() -> bytes:
    """An ICC profile of sRGB, the same bytes every time."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # when it was made
    return bytes(profile)


def embed(picture: Picture, encoding: Encoding, writer: PdfWriter, colours: Ref) -> Embedded:
    """Writes a picture; ``colours`` is the ICC profile's object. Raises PictureUnreadable."""
    if isinstance(encoding, Lossless):
        copied = _copied(picture, writer, colours)
        if copied:
            return copied
    image = _decoded(picture)
    head = _head(image.width, image.height, colours)
    if isinstance(encoding, Lossless):
        ref = writer.add_stream(image.tobytes(), head)
        return Embedded(ref, image.width, image.height)
    if isinstance(encoding, Screen):
        image.thumbnail((encoding.longest_px,) * 2, Image.Resampling.LANCZOS, reducing_gap=2.0)
    small = isinstance(encoding, Screen)
    file = io.BytesIO()
    # Optimised tables need all coefficients in memory: twice the pixels of a print-sized picture.
    sampling = "4:2:0" if small else "4:4:4"
    image.save(file, "JPEG", quality=encoding.quality, subsampling=sampling, optimize=small)
    head = _head(image.width, image.height, colours) + " /Filter /DCTDecode"
    with writer.stream(head) as (ref, write):
        write(file.getvalue())
    return Embedded(ref, image.width, image.height)


def _head(width: int, height: int, colours: Ref) -> str:
    return (
        f"/Type /XObject /Subtype /Image /Width {width} /Height {height} "
        f"/ColorSpace [/ICCBased {colours} 0 R] /BitsPerComponent 8"
    )


def _copied(picture: Picture, writer: PdfWriter, colours: Ref) -> Embedded | None:
    """The PNG's own data in the file; None, with nothing written, if it has to be decoded."""
    with picture.open() as file:
        chunks = _chunks(picture.name, file)
        kind, data = next(chunks)
        if kind != b"IHDR" or len(data) != 13:
            raise PictureUnreadable(picture.name, "its header is damaged")
        width, height, *form = struct.unpack(">IIBBBBB", data)
        kind, data = next((chunk for chunk in chunks if chunk[0] in (b"IDAT", b"tRNS")), (b"", b""))
        if not kind:
            raise PictureUnreadable(picture.name, "it has no pixels")
        if kind == b"tRNS" or tuple(form) != _COPYABLE:
            return None
        entries = (
            f"{_head(width, height, colours)} /Filter /FlateDecode "
            f"/DecodeParms << /Predictor 15 /Colors 3 /BitsPerComponent 8 /Columns {width} >>"
        )
        with writer.stream(entries) as (ref, write):
            write(data)
            for kind, data in chunks:
                if kind == b"IDAT":
                    write(data)
    return Embedded(ref, width, height)


def _chunks(name: str, file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """A PNG's chunks up to its end, each checked against its checksum."""
    if file.read(8) != _SIGNATURE:
        raise PictureUnreadable(name, "it is no PNG")
    kind = b""
    while kind != b"IEND":
        head = file.read(8)
        if len(head) < 8:
            raise PictureUnreadable(name, "it is cut short")
        size, kind = struct.unpack(">I4s", head)
        if size > _LARGEST_CHUNK:
            raise PictureUnreadable(name, "one of its chunks is too large")
        data = file.read(size)
        if file.read(4) != struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))):
            raise PictureUnreadable(name, "a checksum in it is wrong")
        yield kind, data


def _decoded(picture: Picture) -> Image.Image:
    """The pixels as RGB, on white where they are transparent."""
    with picture.open() as file:
        content = file.read()
    for _ in _chunks(picture.name, io.BytesIO(content)):
        pass  # the decoder itself takes some damages for pixels
    try:
        image = Image.open(io.BytesIO(content), formats=["PNG"])
        image.load()
        if image.mode == "RGB" and "transparency" not in image.info:
            return image
        above = image.convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PictureUnreadable(picture.name, "its pixels can't be decoded") from error
    paper = Image.new("RGB", image.size, "white")
    paper.paste(above, mask=above.getchannel("A"))
    return paper


def edge_colour(picture: Picture) -> tuple[float, float, float]:
    """The mean colour (sRGB, 0 to 1) along a picture's left edge, a fiftieth of it wide."""
    image = _decoded(picture)
    strip = image.crop((0, 0, max(1, image.width // 50), image.height))
    red, green, blue = strip.resize((1, 1), Image.Resampling.BOX).tobytes()
    return red / 255, green / 255, blue / 255
