"""Pictures in a PDF: no pixel lost where none may be lost, no damaged one taken."""

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pikepdf
import pytest
from PIL import Image

from gateway.pdf import PdfError, Picture, PictureUnreadable
from gateway.print_profiles import PrintProfile
from tests.gateway.pdf_book import book, interior, picture, png, profile


def noise(mode: str, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """Pixels of every value."""
    values = np.random.default_rng(5).integers(0, 256, (*size[::-1], len(mode)), np.uint8)
    return Image.fromarray(values.squeeze(), mode)


def encoded(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()


def embedded(data: bytes, by: PrintProfile | None = None) -> pikepdf.Stream:
    """The image that a story page shows."""
    pages = book().pages
    shown = replace(pages[3], picture=picture(data))
    pdf = interior(book(pages=(*pages[:3], shown, *pages[4:])), by or profile())
    document = pikepdf.open(io.BytesIO(pdf))
    image = next(iter(document.pages[5].get_images().values()))
    assert isinstance(image, pikepdf.Stream)
    KEPT.append(document)  # an object lives as long as its document
    return image


KEPT: list[pikepdf.Pdf] = []


def rgb(image: pikepdf.Stream | Image.Image) -> bytes:
    """The pixels alone."""
    shown = image if isinstance(image, Image.Image) else pikepdf.PdfImage(image).as_pil_image()
    return shown.convert("RGB").tobytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk_before_pixels(data: bytes, extra: bytes) -> bytes:
    at = data.index(b"IDAT") - 4
    return data[:at] + extra + data[at:]


def test_an_rgb_png_is_copied_byte_by_byte() -> None:
    data = encoded(noise("RGB", (300, 200)))
    image = embedded(data)
    start = data.index(b"IDAT") + 4
    assert image.Filter == "/FlateDecode"
    assert image.read_raw_bytes().startswith(data[start : start + 1000])
    assert rgb(image) == rgb(noise("RGB", (300, 200)))


def test_pixel_data_in_many_chunks_is_put_together() -> None:
    data = encoded(noise("RGB", (300, 200)))
    at = data.index(b"IDAT") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    content = data[at + 8 : at + 8 + size]
    parts = [chunk(b"IDAT", content[i : i + 999]) for i in range(0, size, 999)]
    split = data[:at] + b"".join(parts) + data[at + 12 + size :]
    assert len(parts) > 2
    assert embedded(split).read_raw_bytes() == embedded(data).read_raw_bytes()


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "P", "1"])
def test_other_kinds_of_png_come_out_as_they_look_on_paper(mode: str) -> None:
    image = noise("RGBA" if "A" in mode else "RGB").convert(mode)
    paper = Image.new("RGB", image.size, "white")
    above = image.convert("RGBA")
    paper.paste(above, mask=above.getchannel("A"))
    assert rgb(embedded(encoded(image))) == rgb(paper)


def test_a_png_with_a_transparent_colour_shows_paper_there() -> None:
    data = encoded(Image.new("RGB", (8, 8), (10, 20, 30)), transparency=(10, 20, 30))
    assert rgb(embedded(data)) == b"\xff" * 8 * 8 * 3


def test_where_the_printer_wants_jpeg_it_is_fine_and_not_subsampled() -> None:
    smooth = Image.linear_gradient("L").resize((128, 128))
    image = Image.merge("RGB", (smooth, smooth.rotate(90), smooth.rotate(180)))
    made = embedded(encoded(image), profile("lulu_8_5", min_pages=24))
    assert made.Filter == "/DCTDecode"
    jpeg = Image.open(io.BytesIO(made.read_raw_bytes()))
    layers = jpeg.layer  # type: ignore[attr-defined]  # Pillow's note of each channel's sampling
    assert [layer[1:3] for layer in layers] == [(1, 1)] * 3
    assert np.abs(np.asarray(jpeg).astype(int) - np.asarray(image)).max() <= 6


WHOLE = encoded(noise("RGB"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no PNG"),
        (b"\xff\xd8\xff\xe0 a JPEG", "no PNG"),
        (WHOLE[:200], "checksum|cut short"),
        (WHOLE[:-12], "cut short"),
        (WHOLE[:300] + bytes([WHOLE[300] ^ 1]) + WHOLE[301:], "checksum"),
        (WHOLE[:8] + b"\xff\xff\xff\xffIHDR", "too large"),
        (WHOLE[:8] + chunk(b"IEND", b""), "header"),
        (WHOLE[:33] + chunk(b"IEND", b""), "no pixels"),
        (with_chunk_before_pixels(png(mode="L", colour=(5,)), b"\0\0\0\1tEXtx"), "checksum"),
    ],
)
def test_a_damaged_picture_is_refused_by_its_name(data: bytes, reason: str) -> None:
    with pytest.raises(PictureUnreadable, match=f"a picture: .*({reason})"):
        embedded(data)


def test_a_picture_that_is_a_decompression_bomb_is_refused() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    bomb = WHOLE[:8] + header + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")
    with pytest.raises(PdfError):
        embedded(bomb)


def test_a_missing_file_is_the_callers_own_error() -> None:
    def gone() -> io.BytesIO:
        raise FileNotFoundError("gone")

    pages = book().pages
    lost = replace(pages[0], picture=Picture("lost", gone))
    with pytest.raises(FileNotFoundError):
        interior(book(pages=(lost, *pages[1:])), profile())
