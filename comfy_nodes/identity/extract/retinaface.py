"""Exact landmarks with RetinaFace (Deng et al. 2019) on a ResNet-50.

Names of modules are those of facexlib's `detection_Resnet50_Final.pth`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...faces import ByteImage, Face
from ..weights import fill, read_checkpoint

_WIDTH: Final = 256
_STRIDES: Final = (8, 16, 32)
_SIZES: Final = ((16, 32), (64, 128), (256, 512))  # of the anchors, for each stride
_CENTRE_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2
_MEAN: Final = (123.0, 117.0, 104.0)  # RGB
_SCORE: Final = 0.97
_OVERLAP: Final = 0.4


class RetinaFace(nn.Module):
    """Scores, boxes and five points for two anchors in each cell at three strides."""

    def __init__(self) -> None:
        super().__init__()
        import timm

        self.body: nn.Module = timm.create_model(
            "resnet50", pretrained=False, features_only=True, out_indices=(2, 3, 4)
        )
        self.fpn = _Pyramid((512, 1024, 2048))
        self.ssh1, self.ssh2, self.ssh3 = _Surroundings(), _Surroundings(), _Surroundings()
        self.ClassHead = nn.ModuleList(_Head(2) for _ in _STRIDES)
        self.BboxHead = nn.ModuleList(_Head(4) for _ in _STRIDES)
        self.LandmarkHead = nn.ModuleList(_Head(10) for _ in _STRIDES)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Ask about a picture [B, 3, H, W] in BGR less its mean.

        Returns:
            boxes [B, N, 4] and landmarks [B, N, 10] relative to their anchors, and probabilities
            of a face [B, N].
        """
        levels = [
            look(level)
            for look, level in zip(
                (self.ssh1, self.ssh2, self.ssh3), self.fpn(self.body(picture)), strict=True
            )
        ]
        boxes, scores, points = (
            torch.cat([head(level) for head, level in zip(heads, levels, strict=True)], dim=1)
            for heads in (self.BboxHead, self.ClassHead, self.LandmarkHead)
        )
        return boxes, points, scores.softmax(dim=-1)[..., 1]


def _unit(inputs: int, outputs: int, size: int, active: bool = True) -> nn.Sequential:
    """Convolution, batch norm and, if active, ReLU."""
    parts = [
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*parts, *([nn.ReLU()] if active else []))


class _Pyramid(nn.Module):
    """Bring far features down to near ones."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.output1, self.output2, self.output3 = (_unit(width, _WIDTH, 1) for width in widths)
        self.merge1 = _unit(_WIDTH, _WIDTH, 3)
        self.merge2 = _unit(_WIDTH, _WIDTH, 3)

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        near, middle, far = (
            self.output1(levels[0]),
            self.output2(levels[1]),
            self.output3(levels[2]),
        )
        middle = self.merge2(middle + functional.interpolate(far, middle.shape[2:]))
        near = self.merge1(near + functional.interpolate(middle, near.shape[2:]))
        return near, middle, far


class _Surroundings(nn.Module):
    """See three, five and seven pixels wide at once."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter = _WIDTH // 2, _WIDTH // 4
        self.conv3X3 = _unit(_WIDTH, half, 3, active=False)
        self.conv5X5_1 = _unit(_WIDTH, quarter, 3)
        self.conv5X5_2 = _unit(quarter, quarter, 3, active=False)
        self.conv7X7_2 = _unit(quarter, quarter, 3)
        self.conv7x7_3 = _unit(quarter, quarter, 3, active=False)

    def forward(self, level: Tensor) -> Tensor:
        inner = self.conv5X5_1(level)
        seen = [self.conv3X3(level), self.conv5X5_2(inner), self.conv7x7_3(self.conv7X7_2(inner))]
        return functional.relu(torch.cat(seen, dim=1))


class _Head(nn.Module):
    """A number of values for each anchor, [B, N, values]."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(_WIDTH, len(_SIZES[0]) * values, 1)
        self._values = values

    def forward(self, level: Tensor) -> Tensor:
        answer: Tensor = self.conv1x1(level)
        return answer.permute(0, 2, 3, 1).reshape(len(level), -1, self._values)


def read_retinaface(path: Path) -> RetinaFace:
    """The detector of `detection_Resnet50_Final.pth`, float32 in main memory.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    state = read_checkpoint(path)
    network = RetinaFace()
    fill(network, state, path.name)
    return network


def find(network: nn.Module, photo: ByteImage) -> list[Face]:
    """All faces in a photo uint8 [H, W, 3] RGB that the network is sure of, in pixels of it.

    Args:
        network: from `read_retinaface`.
        photo: the photo; it is looked at in its own size.
    """
    device = next(network.parameters()).device
    values = torch.from_numpy(photo.astype(np.float32) - np.asarray(_MEAN, np.float32)).to(device)
    picture = values.permute(2, 0, 1).flip(0)[None].contiguous()
    boxes, points, scores = (answer[0].cpu() for answer in network(picture))
    sure = torch.nonzero(scores > _SCORE)[:, 0]
    anchors = _anchors(photo.shape[0], photo.shape[1])[sure]
    centres, sizes = anchors[:, :2], anchors[:, 2:]
    step = _CENTRE_VARIANCE * sizes
    middles = centres + boxes[sure, :2] * step
    sides = sizes * torch.exp(boxes[sure, 2:] * _SIZE_VARIANCE)
    marks = centres[:, None] + points[sure].view(-1, 5, 2) * step[:, None]
    corners = torch.cat([middles - sides / 2, sides], dim=1).double().tolist()
    kept = cv2.dnn.NMSBoxes(corners, scores[sure].tolist(), _SCORE, _OVERLAP)
    return [
        Face(float(scores[sure[i]]), tuple(corners[i]), marks[i].double().numpy())
        for i in np.asarray(kept, dtype=np.intp).ravel().tolist()
    ]


def _anchors(height: int, width: int) -> Tensor:
    """Centre and size in pixels of every anchor, float32 [N, 4], in the network's order."""
    levels = []
    for stride, sizes in zip(_STRIDES, _SIZES, strict=True):
        rows = (torch.arange(-(-height // stride)) + 0.5) * stride
        columns = (torch.arange(-(-width // stride)) + 0.5) * stride
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        side = torch.tensor(sizes, dtype=torch.float32).expand(*y.shape, -1)
        level = torch.stack(
            [x[..., None].expand_as(side), y[..., None].expand_as(side), side, side], -1
        )
        levels.append(level.reshape(-1, 4))
    return torch.cat(levels)
