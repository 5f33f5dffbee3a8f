"""Pixels in files, without ComfyUI."""

from pathlib import Path

import numpy as np
import pytest
import torch

from comfy_nodes.hand_over.kernel import (
    CHANNELS,
    PixelsUnreadableError,
    bytes_in_memory,
    bytes_of,
    bytes_on_device,
    image_and_mask,
    mask_of,
    read,
    write_new,
)
from comfy_nodes.paths import path_in
from tests.comfy_nodes.pictures import ByteImage


def picture(channels: int) -> ByteImage:
    """All 256 values, twice over, in every channel."""
    values = np.arange(512).reshape(16, 32, 1) + np.arange(channels) * 50
    return values.astype(np.uint8)


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.numpy().tobytes()


def test_every_value_becomes_the_fraction_that_comfyui_makes_of_it() -> None:
    image, mask = image_and_mask(picture(4))
    fractions = torch.from_numpy(picture(4).astype(np.float32) / 255.0)
    assert image.dtype == mask.dtype == torch.float32
    assert image.shape == (1, 16, 32, 3)
    assert mask.shape == (1, 16, 32)
    assert bits(image[0].contiguous()) == bits(fractions[..., :3].contiguous())
    assert bits(mask[0]) == bits((1.0 - fractions[..., 3]).contiguous())


def test_a_picture_without_alpha_has_the_mask_that_loadimage_gives_it() -> None:
    _, mask = image_and_mask(picture(3))
    assert mask.shape == (1, 64, 64)
    assert not mask.any()


def test_each_channel_is_a_mask_and_missing_alpha_is_opaque() -> None:
    for channel in CHANNELS:
        assert mask_of(picture(3), channel).shape == (1, 16, 32)
    assert not mask_of(picture(3), "alpha").any()
    with pytest.raises(ValueError, match="'purple'"):
        mask_of(picture(3), "purple")


def test_values_are_rounded_down_and_cut_off_as_saveimage_does() -> None:
    near_steps = torch.arange(256)[:, None] / 255 + torch.linspace(-1e-6, 1e-6, 101)
    beyond = torch.tensor([-torch.inf, -1.0, -1e-9, 1.0 + 1e-6, 2.0, torch.inf])
    random = torch.rand(100_000, generator=torch.Generator().manual_seed(1))
    values = torch.cat([near_steps.flatten(), beyond, random])
    values = torch.cat([values, values[: -len(values) % 12]]).reshape(2, -1, 2, 3)
    saved = np.clip(255.0 * values.numpy(), 0, 255).astype(np.uint8)
    for result in (bytes_of(values), bytes_in_memory(values), bytes_on_device(values)):
        assert np.array_equal(result, saved)


def test_what_is_written_is_read_and_nothing_is_overwritten(tmp_path: Path) -> None:
    names = [write_new(tmp_path, "page", picture(channels)).name for channels in (3, 4)]
    assert names == ["page_00001_.npy", "page_00002_.npy"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert np.array_equal(read(tmp_path / names[0]), picture(3))
    assert np.array_equal(read(tmp_path / names[1]), picture(4))


def test_a_file_that_is_no_whole_picture_is_refused_by_its_name(tmp_path: Path) -> None:
    whole = write_new(tmp_path, "whole", picture(3)).read_bytes()
    path = tmp_path / "wrong.npy"
    for data in (b"", whole[:50], whole[:-1], b"PK\x03\x04", b"\x80\x04N."):
        path.write_bytes(data)
        with pytest.raises(PixelsUnreadableError, match=r"wrong\.npy"):
            read(path)
    others = (
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4), "u1"),
    )
    for other in others:
        np.save(path, other)
        with pytest.raises(PixelsUnreadableError, match="3 or 4 channels"):
            read(path)


def test_a_name_does_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.npy").symlink_to(tmp_path / "secret.npy")
    folder = str(tmp_path / "in")
    assert path_in(folder, "job/x.npy") == tmp_path.resolve() / "in" / "job" / "x.npy"
    for name in ("../secret.npy", "job/../../secret.npy", "/etc/passwd", "link.npy"):
        assert path_in(folder, name) is None
