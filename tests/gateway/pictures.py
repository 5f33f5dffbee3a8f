"""Picture files for tests: good, odd and hostile ones, made here."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import skimage
from PIL import Image
from pillow_heif import encode

ORIENTATION = 0x0112
GPS = 0x8825


@cache
def astronaut() -> Image.Image:
    """The public-domain portrait that scikit-image carries: one face, 512 × 512."""
    return Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png").convert("RGB")


def portrait() -> Image.Image:
    """The astronaut cropped so that the face takes more than a tenth of the picture."""
    return astronaut().crop((110, 0, 340, 230))


def two_faces() -> Image.Image:
    """The same portrait twice, side by side."""
    pair = Image.new("RGB", (460, 230))
    pair.paste(portrait(), (0, 0))
    pair.paste(portrait(), (230, 0))
    return pair


def passer_by() -> Image.Image:
    """A portrait with a face of a tenth of its size in a corner."""
    picture = portrait().resize((690, 690))
    small = portrait().resize((180, 180))
    picture.paste(small, (0, 510))
    return picture


def scenery(size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A gradient in which nobody is."""
    across = np.linspace(0, 255, size[0], dtype=np.uint8)
    rows = np.tile(across, (size[1], 1))
    return Image.fromarray(np.stack([rows, rows[:, ::-1], rows // 2], axis=2))


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    """The image as a file."""
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def heic(image: Image.Image, orientation: int = 1) -> bytes:
    """The image as an iPhone would send it: turned both by HEIF's own rotation and in the EXIF
    data, of which only one is to be applied."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    encode(image.mode, image.size, image.tobytes(), file, quality=90, exif=exif.tobytes())
    return file.getvalue()


def with_exif(image: Image.Image, orientation: int = 1) -> bytes:
    """A JPEG with an orientation, a place, a camera and a comment."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(GPS)[1] = "N"
    return encoded(image, "JPEG", quality=95, exif=exif, comment=b"SecretComment")


def animated(format_: str) -> bytes:
    """Two frames as GIF, WEBP or PNG (an APNG)."""
    return encoded(
        scenery((32, 32)),
        format_,
        save_all=True,
        append_images=[scenery((32, 32)).rotate(90)],
        duration=100,
    )


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of some dozen bytes whose header announces ``width`` × ``height`` pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0")) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def sixteen_bit_grey_png() -> bytes:
    """A PNG of 16-bit grey: left half black, right half at 32768 of 65535."""
    values = np.zeros((16, 16), dtype=np.uint16)
    values[:, 8:] = 32768
    return encoded(Image.fromarray(values), "PNG")


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)
