"""Skin presets as data: what each colour channel of lit skin is multiplied by."""

from typing import Final, NamedTuple


class Preset(NamedTuple):
    """Factors for linear multiplication of display-referred RGB, each 0..1; 1 changes nothing."""

    red: float
    green: float
    blue: float


OFF: Final = "off"

PRESETS: Final[dict[str, Preset]] = {
    OFF: Preset(1.0, 1.0, 1.0),
    # Blue falls fastest and red slowest: melanin absorbs short wavelengths most.
    "light_brown": Preset(0.90, 0.82, 0.76),
    "brown": Preset(0.76, 0.64, 0.56),
    "dark_brown": Preset(0.60, 0.47, 0.40),
    "deep": Preset(0.46, 0.35, 0.30),
}
