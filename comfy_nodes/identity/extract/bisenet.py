"""Tell the parts of a face apart: BiSeNet (Yu et al. 2018) with a ResNet-18, 19 classes.

Names of modules are those of facexlib's `parsing_bisenet.pth`.
"""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..weights import fill, read_checkpoint

CLASSES: Final = 19
_MEAN: Final = (0.485, 0.456, 0.406)
_DEVIATION: Final = (0.229, 0.224, 0.225)


class BiSeNet(nn.Module):
    """Scores of 19 parts for every pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.cp = _Context()
        self.ffm = _Fusion(256)
        self.conv_out = _Head(256, 256)
        # Only training looks through these two; their weights are in the file all the same.
        self.conv_out16 = _Head(128, 64)
        self.conv_out32 = _Head(128, 64)

    def forward(self, picture: Tensor) -> Tensor:
        """Scores [B, 19, H, W] of a picture [B, 3, H, W], normalised as ImageNet."""
        detail, context = self.cp(picture)
        scores = self.conv_out(self.ffm(detail, context))
        return functional.interpolate(
            scores, picture.shape[2:], mode="bilinear", align_corners=True
        )


class _Unit(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, values: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(values)))


class _Head(nn.Module):
    def __init__(self, inputs: int, inner: int) -> None:
        super().__init__()
        self.conv = _Unit(inputs, inner, 3)
        self.conv_out = nn.Conv2d(inner, CLASSES, 1, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        scores: Tensor = self.conv_out(self.conv(values))
        return scores


class _Refinement(nn.Module):
    """Weigh channels by what the whole picture holds."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = _Unit(inputs, outputs, 3)
        self.conv_atten = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(outputs)

    def forward(self, values: Tensor) -> Tensor:
        values = self.conv(values)
        whole = values.mean(dim=(2, 3), keepdim=True)
        return values * torch.sigmoid(self.bn_atten(self.conv_atten(whole)))


class _Context(nn.Module):
    """Features at an eighth of the size: near ones, and far ones brought up to it."""

    def __init__(self) -> None:
        super().__init__()
        import timm

        self.resnet: nn.Module = timm.create_model(
            "resnet18", pretrained=False, features_only=True, out_indices=(2, 3, 4)
        )
        self.arm16 = _Refinement(256, 128)
        self.arm32 = _Refinement(512, 128)
        self.conv_head32 = _Unit(128, 128, 3)
        self.conv_head16 = _Unit(128, 128, 3)
        self.conv_avg = _Unit(512, 128, 1)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        eighth, sixteenth, last = self.resnet(picture)
        whole = self.conv_avg(last.mean(dim=(2, 3), keepdim=True))
        far = self.conv_head32(_enlarged(self.arm32(last) + whole, sixteenth))
        near = self.conv_head16(_enlarged(self.arm16(sixteenth) + far, eighth))
        return eighth, near


class _Fusion(nn.Module):
    """Join detail and context, then weigh channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convblk = _Unit(width, width, 1)
        self.conv1 = nn.Conv2d(width, width // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(width // 4, width, 1, bias=False)

    def forward(self, detail: Tensor, context: Tensor) -> Tensor:
        joined: Tensor = self.convblk(torch.cat([detail, context], dim=1))
        whole = joined.mean(dim=(2, 3), keepdim=True)
        weight = torch.sigmoid(self.conv2(functional.relu(self.conv1(whole))))
        return joined + joined * weight


def _enlarged(values: Tensor, to: Tensor) -> Tensor:
    return functional.interpolate(values, to.shape[2:], mode="nearest")


def read_bisenet(path: Path) -> BiSeNet:
    """The parser of `parsing_bisenet.pth`, float32 in main memory.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    state = read_checkpoint(path)
    network = BiSeNet()
    fill(network, state, path.name)
    return network


def parts(network: nn.Module, picture: Tensor) -> Tensor:
    """The part that each pixel belongs to.

    Args:
        network: from `read_bisenet`.
        picture: float32 [B, 3, 512, 512], RGB, 0..1, on the network's device.

    Returns:
        int64 [B, 512, 512]; 0 is the background, 1 skin, 17 hair.
    """
    mean, deviation = (
        picture.new_tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _DEVIATION)
    )
    scores: Tensor = network((picture - mean) / deviation)
    return scores.argmax(dim=1)
