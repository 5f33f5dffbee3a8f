"""The picture before paying: marked all over, still lovely, nothing hidden in it."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from gateway.watermark import UnreadablePage, watermarked


def png(size: tuple[int, int] = (1024, 1024), mode: str = "RGB", shade: int = 120) -> bytes:
    out = io.BytesIO()
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", "secret")
    Image.new(mode, size, shade if mode == "L" else (shade,) * len(mode)).save(
        out, "PNG", pnginfo=info
    )
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=["JPEG"])
    image.load()
    return image


@pytest.mark.parametrize("shade", [0, 120, 255])
def test_the_mark_is_everywhere_and_faint_on_light_and_dark_art(shade: int) -> None:
    pixels = np.asarray(opened(watermarked(png(shade=shade)))).astype(int)
    assert pixels.shape == (1024, 1024, 3)
    differs = np.abs(pixels - shade).max(axis=2) > 8
    for tile in differs.reshape(4, 256, 4, 256).swapaxes(1, 2).reshape(-1, 256, 256):
        assert 0.005 < tile.mean() < 0.5
    assert np.abs(pixels - shade).mean() < 15


def test_a_larger_page_is_made_smaller_and_a_smaller_one_isnt_blown_up() -> None:
    assert opened(watermarked(png((2048, 1024)))).size == (1024, 512)
    assert opened(watermarked(png((64, 64)))).size == (64, 64)


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_other_pictures_become_rgb(mode: str) -> None:
    assert opened(watermarked(png((32, 32), mode))).mode == "RGB"


def test_no_metadata_goes_along() -> None:
    data = watermarked(png((64, 64)))
    assert b"secret" not in data
    assert "exif" not in opened(data).info


def test_the_same_page_gives_the_same_bytes() -> None:
    assert watermarked(png()) == watermarked(png())


@pytest.mark.parametrize("data", [b"", b"no picture", png()[:200], png()[:-30], b"GIF89a" * 9])
def test_what_is_no_whole_png_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadablePage):
        watermarked(data)
