"""What the licences of model files say of commercial use.

A licence that isn't told here counts as forbidding it: nobody has read it yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Licence:
    """One licence. ``sold_at`` is where a commercial licence is sold, if it is; ``note`` what a
    reader must know of it, in a sentence."""

    id: str
    commercial: bool
    sold_at: str | None = None
    note: str = ""


_FREE: Final = ("Apache-2.0", "BSD-3-Clause", "BSD-2-Clause", "MIT", "CC0-1.0")

_OURS: Final = (
    Licence(
        "LicenseRef-FLUX-1-dev",
        commercial=False,
        sold_at="https://bfl.ai/pricing/licensing",
        note="FLUX.1 [dev] Non-Commercial License; what is trained on it is under it, too",
    ),
    Licence(
        "LicenseRef-InsightFace",
        commercial=False,
        sold_at="https://www.insightface.ai",
        note="InsightFace's model packs: non-commercial research only",
    ),
    Licence(
        "LicenseRef-facexlib-RetinaFace",
        commercial=False,
        note="published under MIT, trained on WIDER FACE, whose terms may reach further",
    ),
    Licence(
        "LicenseRef-facexlib-BiSeNet",
        commercial=False,
        note="published under MIT, trained on CelebAMask-HQ, which is for non-commercial research",
    ),
)

_KNOWN: Final[Mapping[str, Licence]] = {
    each.id.casefold(): each
    for each in (*_OURS, *(Licence(name, commercial=True) for name in _FREE))
}


def licence(name: str) -> Licence:
    """The licence of that id, in whatever case it is written; one that isn't known forbids."""
    unknown = Licence(name, commercial=False, note="nobody has told this program what it allows")
    return _KNOWN.get(name.casefold(), unknown)
