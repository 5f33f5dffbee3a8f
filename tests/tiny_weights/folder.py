"""A models folder full of tiny weights, written once."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from tests.tiny_weights.bisenet import write_bisenet
from tests.tiny_weights.flux import write_lora, write_unet, write_vae
from tests.tiny_weights.onnx_faces import write_arcface, write_scrfd
from tests.tiny_weights.pulid import write_eva, write_pulid
from tests.tiny_weights.retinaface import write_retinaface
from tests.tiny_weights.text_encoders import write_clip_l, write_t5
from tests.tiny_weights.upscaler import write_upscaler

Writer = Callable[[Path], None]
"""Writes one weight file."""

VERSION: Final = "1"
"""Counts up whenever a writer writes something else; older folders are then written anew."""

TINY_MODELS: Final = Path(__file__).resolve().parents[2] / "build" / "tiny_weights"
"""Where the tests keep their models folder."""

FILES: Final[Mapping[str, Writer]] = {
    "diffusion_models/flux1-dev.safetensors": write_unet,
    "text_encoders/clip_l.safetensors": write_clip_l,
    "text_encoders/t5xxl_fp8_e4m3fn_scaled.safetensors": write_t5,
    "text_encoders/t5xxl_fp16.safetensors": write_t5,
    "vae/ae.safetensors": write_vae,
    "loras/foxetales_v4.safetensors": write_lora,
    "loras/style_photorealistic.safetensors": partial(write_lora, seed=1),
    "loras/style_cartoon_3d.safetensors": partial(write_lora, seed=2),
    "pulid/pulid_flux_v0.9.1.safetensors": write_pulid,
    "eva_clip/EVA02_CLIP_L_336_psz14_s6B.pt": write_eva,
    "face_analysis/scrfd_10g_bnkps.onnx": write_scrfd,
    "face_analysis/glintr100.onnx": write_arcface,
    "face_analysis/detection_Resnet50_Final.pth": write_retinaface,
    "face_analysis/parsing_bisenet.pth": write_bisenet,
    "upscale_models/RealESRGAN_x4plus.pth": write_upscaler,
}
"""Every file by its path in the models folder, and what writes it."""


def make(folder: Path = TINY_MODELS, files: Mapping[str, Writer] = FILES) -> None:
    """Write every file that isn't there yet; 2.4 GB for all of them.

    Several processes may call this at once: one writes, the others wait for it. No file is ever
    there by half.

    Raises:
        OSError: the disk won't have it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        stamp = folder / ".version"
        if not stamp.exists() or stamp.read_text() != VERSION:
            stamp.unlink(missing_ok=True)
            for name in files:
                (folder / name).unlink(missing_ok=True)
            stamp.write_text(VERSION)
        for name, write in files.items():
            _write_once(folder / name, write)


def _write_once(path: Path, write: Writer) -> None:
    if path.exists():
        return
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    write(unfinished)
    unfinished.replace(path)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
