"""What Identity apply can refuse. Every message starts with a stable code and a colon.

IdentityError
├── NotFluxError          model_not_flux
├── InjectorMismatchError injector_mismatch
├── SettingsError         identity_settings
├── MaskError             identity_mask
└── UnconditionalMissing  unconditional_missing
"""

from ..errors import IdentityError


class NotFluxError(IdentityError):
    """The model is not a FLUX transformer."""

    code = "model_not_flux"


class InjectorMismatchError(IdentityError):
    """The injector was trained for another number of blocks or another width."""

    code = "injector_mismatch"


class SettingsError(IdentityError):
    """Weight, start or end lies outside its range, or start after end."""

    code = "identity_settings"


class MaskError(IdentityError):
    """The mask is empty, not a mask, or not of the picture's size."""

    code = "identity_mask"


class UnconditionalMissing(IdentityError):
    """CFG above 1 needs the unconditional embedding, and the identity has none."""

    code = "unconditional_missing"
