import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from handler.errors import InputCorrupt, OutputMissing
from handler.images import input_suffix
from handler.pixels import ByteImage, decoded, encoded, note_of
from tests.handler.fakes import png


def npy(picture: object) -> bytes:
    buffer = BytesIO()
    np.save(buffer, np.asarray(picture), allow_pickle=False)
    return buffer.getvalue()


def picture(channels: int = 3) -> ByteImage:
    """Random values, 33 pixels wide and 20 high."""
    return np.random.default_rng(1).integers(0, 256, (20, 33, channels), dtype=np.uint8)


def values(data: bytes) -> ByteImage:
    return np.asarray(Image.open(BytesIO(data)))


def saved(image: Image.Image, kind: str) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("channels", [3, 4])
def test_what_is_encoded_has_the_pixels_that_were_decoded(channels: int) -> None:
    file = saved(Image.fromarray(picture(channels)), "PNG")
    pixels = decoded(file, "it")
    assert pixels == npy(picture(channels))
    page, width, height = encoded(pixels)
    assert (width, height) == (33, 20)
    assert np.array_equal(values(page), picture(channels))


def test_the_first_of_several_frames_is_taken() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    buffer = BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    assert decoded(buffer.getvalue(), "it") == npy(frames[0])


def test_a_phones_jpeg_with_a_second_picture_is_a_jpeg() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    buffer = BytesIO()
    frames[0].save(buffer, "MPO", save_all=True, append_images=frames[1:])
    assert input_suffix(buffer.getvalue(), "it") == ".jpg"
    assert decoded(buffer.getvalue(), "it") == decoded(saved(frames[0], "JPEG"), "it")


def test_odd_exif_does_not_keep_a_photo_from_being_turned() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "m" * 39, 6
    buffer = BytesIO()
    Image.new("RGB", (16, 8)).save(buffer, "JPEG", exif=exif)
    text, floats = struct.pack(">HHI", 0x010F, 2, 40), struct.pack(">HHI", 0x010F, 11, 10)
    odd = buffer.getvalue().replace(text, floats)  # the camera's maker as ten numbers
    assert odd != buffer.getvalue()
    assert encoded(decoded(odd, "it"))[1:] == (8, 16)


@pytest.mark.parametrize(
    "data",
    [b"", saved(Image.new("RGB", (8, 8)), "GIF"), png()[:-20], png(size=(400, 400))[:200]],
    ids=["empty", "gif", "no end", "truncated"],
)
def test_an_input_that_is_no_whole_image_is_refused_by_its_label(data: bytes) -> None:
    with pytest.raises(InputCorrupt, match="the object under 'a/b'"):
        decoded(data, "the object under 'a/b'")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        npy(picture())[:40],
        npy(picture())[:-1],
        npy(picture(2)),
        npy(picture()[..., 0]),
        npy(picture() / 255),
        npy(picture()[:0]),
        png(),
    ],
    ids=["empty", "no header", "cut", "two channels", "flat", "floats", "no pixels", "png"],
)
def test_an_output_that_is_no_whole_picture_is_missing(data: bytes) -> None:
    with pytest.raises(OutputMissing):
        encoded(data)


def test_a_note_is_read_again_and_changes_no_pixel() -> None:
    page, _, _ = encoded(npy(picture()), note="a" * 64)
    assert note_of(page) == "a" * 64
    assert np.array_equal(values(page), picture())
    Image.open(BytesIO(page)).verify()


def test_a_file_that_is_damaged_anywhere_has_no_note() -> None:
    page, _, _ = encoded(npy(picture()), note="note")
    for at in range(0, len(page), 7):
        assert note_of(page[:at]) is None
        assert note_of(page[:at] + bytes([page[at] ^ 1]) + page[at + 1 :]) is None
    assert note_of(page + b"\0") is None


def test_other_files_and_other_peoples_notes_are_none_of_ours() -> None:
    info = PngInfo()
    info.add_text("parameters", "foxetales")
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    assert note_of(buffer.getvalue()) is None
    assert note_of(encoded(npy(picture()))[0]) is None
    assert note_of(saved(Image.new("RGB", (8, 8)), "JPEG")) is None
