"""Grow a mask and feather its contour, exactly and by Euclidean distance."""

import cv2
import numpy as np
import numpy.typing as npt

FloatMask = npt.NDArray[np.float32]
BoolMask = npt.NDArray[np.bool_]

INSIDE_FROM = 0.5
"""Mask values from here on count as inside the shape; what is below counts as outside."""


def feather(mask: npt.NDArray[np.floating], grow_px: float, feather_px: float) -> FloatMask:
    """Grow a shape by `grow_px` and let it fade to nothing over the next `feather_px`.

    The whole ramp lies outside the grown contour, so that the shape itself never turns
    translucent. With d the distance of a pixel's centre to the nearest pixel centre of the shape
    (0 on the shape, 1 beside it), the result is exactly 1 for d <= grow_px, exactly 0 for
    d >= grow_px + feather_px, and falls as 1 - 3t² + 2t³ between. Borders of the image are not
    contours: a shape cut by the border stays whole there.

    Args:
        mask: [H, W], 0..1; values from 0.5 on are inside the shape.
        grow_px: growth in pixels, 0 or more.
        feather_px: width of the ramp in pixels, 0 or more; 0 gives a hard edge.

    Returns:
        float32 [H, W], 0..1.

    Raises:
        ValueError: the mask is not two-dimensional, or a distance is negative or not finite.
    """
    distance = _distance(mask, grow_px, feather_px)
    if feather_px == 0:
        return (distance <= grow_px).astype(np.float32)
    t = np.clip((distance - grow_px) / feather_px, 0.0, 1.0).astype(np.float32)
    return np.asarray(1.0 - t * t * (3.0 - 2.0 * t), dtype=np.float32)


def support(mask: npt.NDArray[np.floating], grow_px: float, feather_px: float) -> BoolMask:
    """Tell where `feather` with the same arguments may be above zero.

    Outside these pixels a composite through the feathered mask equals its background bit by bit.

    Args:
        mask: [H, W], 0..1.
        grow_px: growth in pixels, 0 or more.
        feather_px: width of the ramp in pixels, 0 or more.

    Returns:
        bool [H, W].

    Raises:
        ValueError: as `feather` does.
    """
    distance = _distance(mask, grow_px, feather_px)
    if feather_px == 0:
        return np.asarray(distance <= grow_px)
    return np.asarray(distance < grow_px + feather_px)


def _distance(
    mask: npt.NDArray[np.floating], grow_px: float, feather_px: float
) -> npt.NDArray[np.float32]:
    """Distance of every pixel to the shape, float32 [H, W]; infinite where there is no shape."""
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"a mask has two dimensions and is not empty, not shape {mask.shape}")
    for name, value in (("grow_px", grow_px), ("feather_px", feather_px)):
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is 0 or more, not {value}")
    outside = (mask < INSIDE_FROM).astype(np.uint8)
    if outside.all():
        # OpenCV answers an arbitrary large number when there is nothing to measure from.
        return np.full(mask.shape, np.inf, dtype=np.float32)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Its last bit depends on where OpenCV's arrays happen to lie. The square is a whole number.
    return np.asarray(np.sqrt(np.rint(distance * distance)), dtype=np.float32)
