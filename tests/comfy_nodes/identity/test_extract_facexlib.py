"""RetinaFace and BiSeNet against facexlib, where FACEXLIB_REFERENCE names a checkout of it."""

import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from comfy_nodes.identity.extract.bisenet import CLASSES, read_bisenet
from comfy_nodes.identity.extract.retinaface import read_retinaface
from tests.torchvision import allow_torchvision

REFERENCE = os.environ.get("FACEXLIB_REFERENCE")
RETINAFACE = "face_analysis/detection_Resnet50_Final.pth"
BISENET = "face_analysis/parsing_bisenet.pth"

pytestmark = [
    pytest.mark.skipif(
        REFERENCE is None, reason="FACEXLIB_REFERENCE names no checkout of facexlib"
    ),
    pytest.mark.filterwarnings("ignore:The parameter 'pretrained':UserWarning"),
    pytest.mark.filterwarnings("ignore:Arguments other than a weight enum:UserWarning"),
]


def theirs(name: str) -> Any:
    """A module of facexlib, without what its packages import: trackers, downloads, plots."""
    root = Path(REFERENCE or "")
    for package in ("facexlib", "facexlib.detection", "facexlib.parsing"):
        if package not in sys.modules:
            module = ModuleType(package)
            module.__path__ = [str(root / package.replace(".", "/"))]
            sys.modules[package] = module
    return import_module(f"facexlib.{name}")


def weights(path: Path) -> dict[str, torch.Tensor]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {key.removeprefix("module."): value for key, value in state.items()}


def relative(ours: torch.Tensor, expected: torch.Tensor) -> float:
    return float((ours - expected).abs().max() / expected.abs().max())


def test_retinaface_computes_what_facexlib_does(models: Path) -> None:
    allow_torchvision()
    reference = theirs("detection.retinaface").RetinaFace(
        network_name="resnet50", device=torch.device("cpu")
    )
    reference.load_state_dict(weights(models / RETINAFACE))
    picture = torch.randn(1, 3, 192, 160, generator=torch.Generator().manual_seed(1)) * 60
    with torch.inference_mode():
        boxes, points, scores = read_retinaface(models / RETINAFACE)(picture)
        expected_boxes, expected_scores, expected_points = reference(picture)
    assert relative(boxes, expected_boxes) <= 1e-5
    assert relative(points, expected_points) <= 1e-5
    assert relative(scores, expected_scores[..., 1]) <= 1e-5


def test_bisenet_computes_what_facexlib_does(models: Path) -> None:
    reference = theirs("parsing.bisenet").BiSeNet(num_class=CLASSES).eval()
    reference.load_state_dict(weights(models / BISENET), strict=False)
    picture = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        ours = read_bisenet(models / BISENET)(picture)
        expected = reference(picture)[0]
    assert relative(ours, expected) <= 1e-5
