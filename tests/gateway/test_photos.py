"""An uploaded file becomes a clean photo, or is refused with a reason."""

import io
import zipfile
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageCms

from gateway.errors import Problem
from gateway.photos import LONG_EDGE, RebuiltPhoto, rebuild
from tests.gateway import pictures

MAX_PIXELS = 50_000_000


def rebuilt(data: bytes) -> RebuiltPhoto:
    return rebuild(data, max_pixels=MAX_PIXELS)


def refusal(data: bytes) -> str:
    with pytest.raises(Problem) as caught:
        rebuilt(data)
    return caught.value.code


def mean_difference(photo: RebuiltPhoto, image: Image.Image) -> float:
    return float(
        np.abs(photo.rgb.astype(int) - np.asarray(image.convert("RGB")).astype(int)).mean()
    )


@pytest.mark.parametrize(
    "encode",
    [
        lambda image: pictures.encoded(image, "JPEG", quality=95),
        lambda image: pictures.encoded(image, "PNG"),
        lambda image: pictures.encoded(image, "WEBP", lossless=True),
        pictures.heic,
    ],
    ids=["jpeg", "png", "webp", "heic"],
)
def test_every_accepted_type_keeps_its_picture(encode: Callable[[Image.Image], bytes]) -> None:
    photo = rebuilt(encode(pictures.portrait()))
    assert (photo.width, photo.height) == (230, 230)
    assert mean_difference(photo, pictures.portrait()) < 4


def test_the_kept_file_is_a_jpeg_of_full_colour_resolution() -> None:
    photo = rebuilt(pictures.encoded(pictures.portrait(), "PNG"))
    with Image.open(io.BytesIO(photo.jpeg)) as kept:
        assert (kept.format, kept.mode, kept.size) == ("JPEG", "RGB", (230, 230))
        assert {(h, v) for _, h, v, _ in kept.layer} == {(1, 1)}  # type: ignore[attr-defined]  # Pillow sets it


def test_no_metadata_survives() -> None:
    photo = rebuilt(pictures.with_exif(pictures.portrait()))
    with Image.open(io.BytesIO(photo.jpeg)) as kept:
        assert not kept.getexif()
        assert set(kept.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"Secret" not in photo.jpeg


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int) -> None:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    lying = pictures.astronaut().crop((100, 0, 340, 160))
    upright = lying.transpose(turns[orientation]) if orientation in turns else lying
    for data in (pictures.with_exif(lying, orientation), pictures.heic(lying, orientation)):
        photo = rebuilt(data)
        assert (photo.width, photo.height) == upright.size
        assert mean_difference(photo, upright) < 4


def test_a_large_photo_is_scaled_to_2048_pixels() -> None:
    photo = rebuilt(pictures.encoded(pictures.scenery((4000, 1000)), "JPEG"))
    assert (photo.width, photo.height) == (LONG_EDGE, 512)


def test_a_small_photo_keeps_its_size() -> None:
    photo = rebuilt(pictures.encoded(pictures.scenery((40, 30)), "JPEG"))
    assert (photo.width, photo.height) == (40, 30)


def test_cmyk_becomes_rgb() -> None:
    image = pictures.portrait()
    photo = rebuilt(pictures.encoded(image.convert("CMYK"), "JPEG", quality=95))
    assert mean_difference(photo, image) < 6


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    photo = rebuilt(pictures.sixteen_bit_grey_png())
    assert photo.rgb[8, 2].tolist() == [0, 0, 0]
    assert photo.rgb[8, 12].tolist() == [128, 128, 128]


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA"])
def test_other_modes_become_rgb(mode: str) -> None:
    photo = rebuilt(pictures.encoded(pictures.portrait().convert(mode), "PNG"))
    assert photo.rgb.shape == (230, 230, 3)


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert rebuilt(pictures.encoded(clear, "PNG")).rgb.min() == 255


def test_a_transparent_palette_lies_on_white() -> None:
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([10, 20, 30] * 256)
    data = pictures.encoded(palette, "PNG", transparency=0)
    assert rebuilt(data).rgb.min() == 255


def test_a_colour_profile_is_applied_and_dropped() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = pictures.portrait()
    for profile in (srgb, lab, b"not a profile"):
        photo = rebuilt(pictures.encoded(image, "JPEG", quality=95, icc_profile=profile))
        assert mean_difference(photo, image) < 4
        assert b"ICC_PROFILE" not in photo.jpeg


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # Pillow tells the log so
def test_broken_orientation_data_does_not_spoil_a_photo() -> None:
    data = pictures.encoded(pictures.portrait(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert rebuilt(data).width == 230


def test_a_renamed_file_is_told_by_its_bytes() -> None:
    for data in (
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"MZ\x90\x00",
        pictures.encoded(pictures.scenery(), "BMP"),
        pictures.encoded(pictures.scenery(), "TIFF"),
        pictures.animated("GIF"),
        b"RIFF\x00\x00\x00\x00WAVE",
        b"\x00\x00\x00\x18ftypmp42",
        b"\xff\xd8",
    ):
        assert refusal(data) == "photo_type"


def test_a_gif_that_is_also_a_script_is_refused() -> None:
    assert refusal(b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)") == "photo_type"


def test_a_jpeg_that_is_also_an_archive_loses_the_archive() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("payload.sh", "Secret")
    photo = rebuilt(pictures.encoded(pictures.portrait(), "JPEG") + archive.getvalue())
    assert not zipfile.is_zipfile(io.BytesIO(photo.jpeg))
    assert b"payload" not in photo.jpeg


@pytest.mark.parametrize("format_", ["WEBP", "PNG"])
def test_an_animation_is_refused(format_: str) -> None:
    assert refusal(pictures.animated(format_)) == "photo_animated"


def test_a_heif_sequence_is_refused() -> None:
    assert refusal(b"\x00\x00\x00\x18ftyphevc" + b"\0" * 64) == "photo_animated"


def test_30000_by_30000_is_refused_by_its_header_alone() -> None:
    assert refusal(pictures.png_that_claims(30_000, 30_000)) == "photo_too_many_pixels"


@pytest.mark.parametrize("edge", [9_000, 10_000, 12_000])
def test_sizes_around_pillows_own_limits_are_refused_alike(edge: int) -> None:
    assert refusal(pictures.png_that_claims(edge, edge)) == "photo_too_many_pixels"


def test_an_empty_file_is_broken() -> None:
    assert refusal(b"") == "photo_broken"


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "HEIC"])
def test_a_truncated_file_is_broken(format_: str, kept: float) -> None:
    image = pictures.portrait()
    data = pictures.heic(image) if format_ == "HEIC" else pictures.encoded(image, format_)
    assert refusal(data[: max(16, int(len(data) * kept))]) == "photo_broken"


@pytest.mark.parametrize("magic", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"])
def test_a_file_of_the_right_beginning_and_nothing_else_is_broken(magic: bytes) -> None:
    assert refusal(magic + b"nothing of the kind" * 20) == "photo_broken"


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of what it then repairs
def test_random_damage_never_escapes_as_another_error() -> None:
    random = np.random.default_rng(7)
    for format_ in ("JPEG", "PNG", "WEBP", "HEIC"):
        image = pictures.scenery((64, 48))
        good = pictures.heic(image) if format_ == "HEIC" else pictures.encoded(image, format_)
        for _ in range(60):
            data = bytearray(good)
            for place in random.integers(0, len(data), 6):
                data[place] = random.integers(0, 256)
            with suppress(Problem):
                rebuilt(bytes(data))
