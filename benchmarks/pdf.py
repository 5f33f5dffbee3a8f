"""The book's interior PDF, beside img2pdf with the same pictures and nothing else.

``python -m benchmarks.pdf`` writes 35 pages of 1024² PNG. Both ways take turns, round by round, and
each round is compared with its own neighbour: the median of these ratios counts. What a way needs
in memory is measured in a process of its own: the highest resident size while it writes, above
what it had once everything was imported. The same is measured with pictures of print size.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import img2pdf
from PIL import Image
from rich.console import Console
from rich.table import Table

from gateway.pdf import (
    BookContent,
    CoverContent,
    PageContent,
    Picture,
    TextBox,
    load_fonts,
    write_interior,
)
from gateway.print_profiles import load_profiles, print_pixels

ROOT = Path(__file__).resolve().parent.parent
ART = ROOT / "build" / "books" / "moonlit-fox"
PAGES = 35
MOST_TIMES, MOST_MB = 1.3, 60.0
STORY = (
    "One night, when even the clocks were asleep, Nguyễn Thị Hồng Ánh followed a soft tapping out "
    "into the meadow. There sat a little fox with moonlight on her whiskers."
)


def ours(pictures: list[Path], profile: str, out: Path) -> None:
    """The whole interior: pictures, story, title page, imprint, blank pages; fonts loaded anew."""
    box = TextBox(100, 80, 824, 180, "light")
    pages = tuple(PageContent(Picture.at(path), STORY, box) for path in pictures)
    cover = CoverContent(pages[0].picture, box, "")
    book = BookContent(
        "Nguyễn Thị Hồng Ánh and the Moonlit Fox", "Foxetales", "en",
        datetime(2026, 1, 1, tzinfo=UTC), pages, cover, "Foxetales",
    )  # fmt: skip
    with out.open("wb") as file:
        write_interior(book, load_profiles()[profile], load_fonts(), file)


def bare(pictures: list[Path], _: str, out: Path) -> None:
    """The pictures alone, by img2pdf."""
    with out.open("wb") as file:
        img2pdf.convert([str(path) for path in pictures], outputstream=file)


Way = Callable[[list[Path], str, Path], None]
WAYS: dict[str, Way] = {"interior": ours, "img2pdf": bare}


def measure(pictures: list[Path], rounds: int, folder: Path) -> dict[str, list[float]]:
    """Seconds of each way, one number a round; the first, warming round isn't kept."""
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(rounds + 1):
        for name in sorted(WAYS, reverse=bool(number % 2)):
            start = time.perf_counter()
            WAYS[name](pictures, "square_10", folder / f"{name}.pdf")
            times[name].append(time.perf_counter() - start)
    return {name: values[1:] for name, values in times.items()}


def _status_mb(field: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    row = next(line for line in status.splitlines() if line.startswith(field))
    return int(row.split()[1]) / 1000


def peak_in_child(way: str, profile: str, pictures: list[Path], folder: Path) -> float:
    """MB above the baseline, of one way in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.pdf", "--peak", way, "--profile", profile]
    command += ["--folder", str(folder), *map(str, pictures)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout)


def _peak(way: str, profile: str, pictures: list[Path], folder: Path) -> float:
    before = _status_mb("VmRSS")
    WAYS[way](pictures, profile, folder / "peak.pdf")
    return _status_mb("VmHWM") - before


def print_sized(pictures: list[Path], folder: Path) -> list[Path]:
    """Some of the pictures as large as the printer wants them."""
    size = print_pixels(load_profiles()["square_10"])
    made = []
    for number, path in enumerate(pictures[:2]):
        made.append(folder / f"large_{number}.png")
        with Image.open(path) as image:
            large = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        large.save(made[-1], compress_level=1)
    return [made[number % len(made)] for number in range(PAGES)]


def main() -> int:
    """Measure, print the table, write the JSON; the status is 0 if both goals are met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pdf", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "benchmarks")
    parser.add_argument("--peak", choices=sorted(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--profile", default="square_10", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("pictures", type=Path, nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        sys.stdout.write(str(_peak(given.peak, given.profile, given.pictures, given.folder)))
        return 0
    drawn = sorted(ART.glob("page_*/character.png"))
    pictures = [drawn[number % len(drawn)] for number in range(PAGES)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        times = measure(pictures, given.rounds, folder)
        peaks = {way: peak_in_child(way, "square_10", pictures, folder) for way in WAYS}
        large = print_sized(drawn, folder)
        peaks_large = {way: peak_in_child(way, "square_10", large, folder) for way in WAYS}
        peaks_large["interior, JPEG"] = peak_in_child("interior", "lulu_8_5", large, folder)
    return report(times, peaks, peaks_large, given.out)


def report(
    times: dict[str, list[float]],
    peaks: dict[str, float],
    peaks_large: dict[str, float],
    out: Path,
) -> int:
    """Table, goals and JSON."""
    ratio = statistics.median(
        mine / its for mine, its in zip(times["interior"], times["img2pdf"], strict=True)
    )
    table = Table("way", "s (median)", "MB above baseline", "the same, print size")
    for way, peak in peaks_large.items():
        seconds = f"{statistics.median(times[way]):.3f}" if way in times else ""
        small = f"{peaks[way]:.1f}" if way in peaks else ""
        table.add_row(way, seconds, small, f"{peak:.1f}")
    Console().print(table)
    met = ratio <= MOST_TIMES and peaks["interior"] <= MOST_MB
    Console().print(
        f"{ratio:.2f} x img2pdf; goal: at most {MOST_TIMES} x and {MOST_MB:g} MB; "
        f"{'met' if met else 'not met'}"
    )
    document = {
        "of_img2pdf": round(ratio, 3),
        "seconds": {way: [round(value, 4) for value in values] for way, values in times.items()},
        "peak_mb": {way: round(value, 1) for way, value in peaks.items()},
        "peak_mb_print_size": {way: round(value, 1) for way, value in peaks_large.items()},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "pdf.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
