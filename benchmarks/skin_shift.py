"""Skin shift of a 1024² page on one core, beside plain NumPy and one colour conversion.

``python -m benchmarks.skin_shift`` takes turns, round by round, and compares within each round,
since a machine's speed changes from one second to the next; medians of these ratios count.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage
import torch
from rich.console import Console
from rich.table import Table

from comfy_nodes.draft_portrait.kernel import draw
from comfy_nodes.draft_portrait.opening import Opening
from comfy_nodes.skin_shift.kernel import shift
from comfy_nodes.skin_shift.presets import preset_named

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "build" / "books" / "moonlit-fox"
FACE_MODEL = ROOT / "build" / "models" / "face_detection" / "centerface.onnx"
PRESET = "brown"
LEAST_SPEEDUP = 5.0
MOST_CONVERSIONS = 25.0

Image = npt.NDArray[np.float32]


def plain_shift(image: Image, person: Image, preset: str) -> npt.NDArray[np.float64]:
    """The operation as one writes it down: YCbCr box x person mask x multipliers, in NumPy."""
    red, green, blue = (image[..., i].astype(np.float64) for i in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    cb = 128 + 255 * 0.564 * (blue - luma)
    cr = 128 + 255 * 0.713 * (red - luma)
    skin = np.minimum(np.clip((25 - np.abs(cb - 102)) / 6, 0, 1), (luma - 0.08) / 0.12)
    skin = np.clip(np.minimum(skin, (23.5 - np.abs(cr - 156.5)) / 6), 0, 1)
    padded = np.pad(skin, 2, mode="reflect")
    height, width = skin.shape
    calm = sum(padded[y : y + height, x : x + width] for y in range(5) for x in range(5)) / 25.0
    amount = (skin * calm * person)[..., None]
    factors = np.asarray(preset_named(preset).multipliers)
    return np.asarray(np.clip(image * (1 + amount * (factors - 1)), 0, 1))


def page() -> tuple[Image, Image]:
    """The sample book's first page with a real face in it, and its person mask."""
    book = json.loads((BOOK / "book.json").read_text(encoding="utf-8"))
    face = book["pages"][0]["face"]
    opening = Opening(
        face["center_x"], face["center_y"], face["width"], face["height"], face["angle"]
    )
    photo = _read(Path(skimage.__file__).parent / "data" / "astronaut.png")
    character = np.asarray(_read(BOOK / "page_01" / "character.png") / 255.0, dtype=np.float32)
    mask = cv2.imread(str(BOOK / "page_01" / "person_mask.png"), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise FileNotFoundError(BOOK / "page_01" / "person_mask.png")
    image = draw(photo, character, opening, 0.85, FACE_MODEL, lambda _: None)
    return image, np.asarray(mask / 255.0, dtype=np.float32)


def close_up(image: Image, person: Image) -> tuple[Image, Image]:
    """The head alone, as large as the page: the most skin that a page can have."""
    rows, columns = np.s_[298:558], np.s_[516:776]
    parts = (image[rows, columns], person[rows, columns])
    large = [cv2.resize(part, (1024, 1024), interpolation=cv2.INTER_CUBIC) for part in parts]
    head, mask = (np.asarray(np.clip(part, 0, 1), dtype=np.float32) for part in large)
    return head, mask


def _read(path: Path) -> npt.NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    if picture is None:
        raise FileNotFoundError(path)
    return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)


def measure(image: Image, person: Image, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each, one number a round; the first, warming round isn't kept."""
    work: dict[str, Callable[[], object]] = {
        "cvtColor": lambda: cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb),
        "skin shift": lambda: shift(image, person, PRESET, 1.0),
        "plain NumPy": lambda: plain_shift(image, person, PRESET),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds + 1):
        for name, run in work.items():
            start = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - start) * 1000)
    return {name: values[1:] for name, values in times.items()}


def _ratio(above: list[float], below: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def main() -> int:
    """Measure, print the table, write the JSON; the status is 0 if the page meets the goals."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.skin_shift", description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "benchmarks")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    image, person = page()
    pictures = {"page": (image, person), "close-up": close_up(image, person)}
    table = Table("picture", "work", "ms (median)", "of one cvtColor", "times faster than NumPy")
    document: dict[str, dict[str, float]] = {}
    for picture, given in pictures.items():
        times = measure(*given, arguments.rounds)
        for name, values in times.items():
            table.add_row(
                picture,
                name,
                f"{statistics.median(values):.2f}",
                f"{_ratio(values, times['cvtColor']):.1f}",
                f"{_ratio(times['plain NumPy'], values):.1f}",
            )
        document[picture] = {
            "median_ms": round(statistics.median(times["skin shift"]), 3),
            "of_cvtcolor": round(_ratio(times["skin shift"], times["cvtColor"]), 2),
            "faster_than_numpy": round(_ratio(times["plain NumPy"], times["skin shift"]), 2),
        }
    Console().print(table)
    seen = document["page"]
    met = seen["faster_than_numpy"] >= LEAST_SPEEDUP and seen["of_cvtcolor"] <= MOST_CONVERSIONS
    Console().print(
        f"goal on the page: at least {LEAST_SPEEDUP} x NumPy and at most {MOST_CONVERSIONS} "
        f"cvtColor; {'met' if met else 'not met'}"
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=2) + "\n"
    (arguments.out / "skin_shift.json").write_text(text, encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
