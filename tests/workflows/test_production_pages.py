"""The released production workflows, unchanged, on a real ComfyUI with tiny random weights."""

import shutil
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from comfy_nodes.identity.embedding import Identity
from tests.comfy_nodes.comfy import Comfy
from tests.tiny_weights.comfy import running_tiny_comfy
from tests.workflows.pages import PAGE, SIZE, Run, identity_file, released, run, write_inputs

pytestmark = pytest.mark.comfyui

PAINTING = {"KSampler", "VAEDecode", "ImageCompositeMasked", "FoxetalesSkinShift", "SaveImage"}
LOADERS = {
    "UNETLoader", "LoraLoaderModelOnly", "DualCLIPLoader", "VAELoader",
    "FoxetalesPulidInjectorLoader",
}  # fmt: skip
WORDS = {"StringConcatenate", "CLIPTextEncode", "FluxGuidance", "ConditioningZeroOut"}
OTHER_PAGE = {slot: f"other_{name}" for slot, name in PAGE.items()}


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    with running_tiny_comfy(tmp_path_factory.mktemp("comfyui")) as running:
        write_inputs(running.base)
        yield running


@pytest.fixture(scope="module")
def identity(comfy: Comfy) -> str:
    return identity_file(comfy)


@pytest.fixture(scope="module")
def standard(comfy: Comfy, identity: str) -> Run:
    """The first page of a worker, in standard quality, for a dark skin."""
    return run(
        comfy,
        released("storybook_page"),
        {**PAGE, "identity": identity},
        prefix="run/standard",
        skin_preset="brown",
    )


@pytest.fixture(scope="module")
def page(comfy: Comfy, identity: str, standard: Run) -> Run:
    """A page in fast quality."""
    return run(
        comfy,
        released("storybook_page"),
        {**PAGE, "identity": identity},
        prefix="run/fast",
        quality="fast",
    )


def test_a_photo_becomes_an_identity_file(comfy: Comfy, identity: str) -> None:
    read = Identity.load(comfy.base / "input" / identity)
    assert read.dtype == "bfloat16"
    assert tuple(read.tokens.shape) == (1, 32, 2048)


def test_every_node_of_a_page_runs(comfy: Comfy, standard: Run) -> None:
    assert standard.executed == set(standard.filled.prompt)
    assert standard.picture(comfy).shape == (SIZE, SIZE, 3)


def test_standard_quality_runs_flux_25_times_and_fast_14_times(standard: Run, page: Run) -> None:
    assert standard.sampling_steps == 25
    assert page.sampling_steps == 14


def test_away_from_the_child_the_page_is_the_background_bit_by_bit(comfy: Comfy, page: Run) -> None:
    background = cv2.imread(str(comfy.base / "input" / PAGE["background"]))
    mask = cv2.imread(str(comfy.base / "input" / PAGE["person_mask"]), cv2.IMREAD_GRAYSCALE)
    assert background is not None
    assert mask is not None
    distance = cv2.distanceTransform(255 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    away, picture = distance > 2 + 12 + 1, page.picture(comfy)
    assert np.array_equal(picture[away], background[away])
    assert not np.array_equal(picture[mask > 0], background[mask > 0])


def test_another_seed_runs_the_sampler_and_what_follows_it(
    comfy: Comfy, identity: str, page: Run
) -> None:
    files = {**PAGE, "identity": identity}
    again = run(comfy, released("storybook_page"), files, seed=2, prefix="run/fast", quality="fast")
    assert again.executed_classes == PAINTING
    assert not np.array_equal(again.picture(comfy), page.picture(comfy))


def test_another_page_runs_no_text_encoder_and_loads_no_model(
    comfy: Comfy, identity: str, page: Run
) -> None:
    files = {**OTHER_PAGE, "identity": identity}
    other = run(comfy, released("storybook_page"), files, prefix="run/other", quality="fast")
    assert other.executed_classes >= PAINTING | {"LoadImage", "VAEEncode"}
    assert not other.executed_classes & (LOADERS | WORDS | {"FoxetalesIdentityLoad"})


def test_the_identity_changes_the_child(comfy: Comfy, identity: str, page: Run) -> None:
    files = {**PAGE, "identity": identity}
    without = run(
        comfy,
        released("storybook_page"),
        files,
        prefix="run/without",
        quality="fast",
        identity_weight=0.0,
    )
    assert not np.array_equal(without.picture(comfy), page.picture(comfy))


def test_photo_and_page_in_one_job_give_the_same_page(comfy: Comfy, page: Run) -> None:
    at_once = run(
        comfy,
        released("storybook_page_photo"),
        {**PAGE, "photo": "photo.png"},
        prefix="run/photo",
        quality="fast",
    )
    assert np.array_equal(at_once.picture(comfy), page.picture(comfy))


def test_another_machine_makes_the_same_page_of_the_file(
    comfy: Comfy, identity: str, page: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running_tiny_comfy(tmp_path_factory.mktemp("other_machine")) as other:
        write_inputs(other.base)
        shutil.copy(comfy.base / "input" / identity, other.base / "input" / "copy.safetensors")
        files = {**PAGE, "identity": "copy.safetensors"}
        there = run(other, released("storybook_page"), files, quality="fast")
        assert not there.executed_classes & {"FoxetalesIdentityExtract"}
        assert np.array_equal(there.picture(other), page.picture(comfy))


def test_a_scene_is_painted_without_a_template(comfy: Comfy, identity: str) -> None:
    scene = run(
        comfy,
        released("scene_page"),
        {"identity": identity},
        prefix="run/scene",
        style="cartoon_3d",
        scene_prompt="riding a paper boat",
        quality="fast",
        width=SIZE,
        height=96,
    )
    assert scene.sampling_steps == 14
    assert scene.picture(comfy).shape == (96, SIZE, 3)


def test_a_page_is_enlarged_to_the_pixels_of_a_print_profile(comfy: Comfy) -> None:
    files = {"page": PAGE["character"]}
    large = run(comfy, released("print_upscale"), files, prefix="run/print", width=400, height=300)
    assert large.picture(comfy).shape == (300, 400, 3)
