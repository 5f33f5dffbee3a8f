"""ComfyUI's own loaders take the tiny weights, and a page renders with them."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import requests

from tests.comfy_nodes.comfy import Event
from tests.comfy_nodes.pictures import ASTRONAUT
from tests.tiny_weights.comfy import TinyComfy, running_tiny_comfy
from tests.tiny_weights.folder import FILES

pytestmark = pytest.mark.comfyui

T5 = "t5xxl_fp8_e4m3fn_scaled.safetensors"
FULL_T5_BYTES = 4_700_000_000  # T5-XXL alone in float8


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyComfy]:
    with running_tiny_comfy(tmp_path_factory.mktemp("comfyui")) as running:
        (running.base / "input" / "photo.png").write_bytes(ASTRONAUT.read_bytes())
        yield running


def node(node_class: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": node_class, "inputs": inputs}


def text_to_image(lora_strength: float = 0.7, seed: int = 1) -> dict[str, Any]:
    """FLUX as a workflow of ours has it: two text encoders, a LoRA, 256 × 256, two steps."""
    return {
        "unet": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="fp8_e4m3fn"),
        "lora": node(
            "LoraLoaderModelOnly",
            model=["unet", 0],
            lora_name="foxetales_v4.safetensors",
            strength_model=lora_strength,
        ),
        "clip": node("DualCLIPLoader", clip_name1="clip_l.safetensors", clip_name2=T5, type="flux"),
        "text": node("CLIPTextEncode", clip=["clip", 0], text="a girl meets a fox"),
        "guidance": node("FluxGuidance", conditioning=["text", 0], guidance=3.5),
        "latent": node("EmptySD3LatentImage", width=256, height=256, batch_size=1),
        "sampler": node(
            "KSampler",
            model=["lora", 0],
            positive=["guidance", 0],
            negative=["text", 0],
            latent_image=["latent", 0],
            seed=seed,
            steps=2,
            cfg=1.0,
            sampler_name="euler",
            scheduler="simple",
            denoise=1.0,
        ),
        "vae": node("VAELoader", vae_name="ae.safetensors"),
        "decode": node("VAEDecode", samples=["sampler", 0], vae=["vae", 0]),
        "save": node("SaveImage", images=["decode", 0], filename_prefix=f"page{lora_strength}"),
    }


def pixels(comfy: TinyComfy, events: list[Event]) -> Any:
    assert events[-1].type == "execution_success", events[-1].data
    saved = next(event for event in events if event.type == "executed").data["output"]["images"][0]
    return cv2.imread(str(comfy.base / "output" / saved["subfolder"] / saved["filename"]))


@pytest.mark.parametrize("name", sorted(FILES))
def test_comfyui_lists_every_file_in_its_folder(comfy: TinyComfy, name: str) -> None:
    folder, file = name.split("/")
    answer = requests.get(f"http://{comfy.address}/models/{folder}", timeout=10)
    assert file in answer.json()


def test_a_page_renders_end_to_end(comfy: TinyComfy) -> None:
    events = comfy.run(text_to_image())
    picture = pixels(comfy, events)
    ran = {event.data["node"] for event in events if event.type == "executing"}
    assert ran >= set(text_to_image())
    assert picture.shape == (256, 256, 3)
    assert np.ptp(picture) > 10  # not of one colour, as NaN would be


def test_the_t5_is_a_small_one(comfy: TinyComfy) -> None:
    comfy.run(text_to_image())
    assert comfy.peak_memory() < FULL_T5_BYTES


def test_the_lora_changes_the_page(comfy: TinyComfy) -> None:
    page = pixels(comfy, comfy.run(text_to_image()))
    without = pixels(comfy, comfy.run(text_to_image(lora_strength=0.0)))
    assert not np.array_equal(page, without)


def test_a_photo_is_encoded_and_decoded(comfy: TinyComfy) -> None:
    graph = {
        "photo": node("LoadImage", image="photo.png"),
        "vae": node("VAELoader", vae_name="ae.safetensors"),
        "encode": node("VAEEncode", pixels=["photo", 0], vae=["vae", 0]),
        "decode": node("VAEDecode", samples=["encode", 0], vae=["vae", 0]),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="round"),
    }
    assert pixels(comfy, comfy.run(graph)).shape == (512, 512, 3)


def test_an_upscaler_makes_four_pixels_of_one_each_way(comfy: TinyComfy) -> None:
    graph = {
        "image": node("EmptyImage", width=48, height=32, batch_size=1, color=0x808080),
        "model": node("UpscaleModelLoader", model_name="RealESRGAN_x4plus.pth"),
        "upscale": node("ImageUpscaleWithModel", upscale_model=["model", 0], image=["image", 0]),
        "save": node("SaveImage", images=["upscale", 0], filename_prefix="large"),
    }
    assert pixels(comfy, comfy.run(graph)).shape == (128, 192, 3)
