"""What a page's three pictures promise to the workflow that puts a face into them."""

import math
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from books.library import BookError, load_books
from books.model import INKS, PAGE_PX, SAFE_PX, Book, FaceOpening, Page
from books.studio import SCENES, draw_book

Picture = NDArray[np.uint8]
PAGES = range(1, 36)
KINDS = ("background", "character", "person_mask")


def _read(drawn: Path, page: int, kind: str) -> Picture:
    picture = cv2.imread(str(drawn / f"page_{page:02d}" / f"{kind}.png"), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return np.asarray(picture, dtype=np.uint8)


def _face(page: Page) -> FaceOpening:
    assert page.face is not None
    return page.face


def _inside(face: FaceOpening, grow: float = 1.0) -> NDArray[np.bool_]:
    ys, xs = np.mgrid[0:1024, 0:1024] + 0.5
    turn = math.radians(face.angle)
    dx, dy = xs - face.center_x, ys - face.center_y
    along = (dx * math.cos(turn) + dy * math.sin(turn)) / (face.width / 2 * grow)
    down = (-dx * math.sin(turn) + dy * math.cos(turn)) / (face.height / 2 * grow)
    return np.asarray(along**2 + down**2 <= 1)


def test_every_page_with_art_has_a_scene_and_no_other_has(book: Book) -> None:
    drawn = {page.page_number for page in book.pages if page.art}
    assert drawn == set(PAGES) == set(SCENES[book.id])


@pytest.mark.parametrize("page", PAGES)
def test_pictures_are_square_rgb_and_masks_are_grey(drawn: Path, page: int) -> None:
    assert _read(drawn, page, "background").shape == (1024, 1024, 3)
    assert _read(drawn, page, "character").shape == (1024, 1024, 3)
    assert _read(drawn, page, "person_mask").shape == (1024, 1024)


@pytest.mark.parametrize("page", PAGES)
def test_pictures_stay_light_to_download(drawn: Path, page: int) -> None:
    for kind in KINDS:
        assert (drawn / f"page_{page:02d}" / f"{kind}.png").stat().st_size <= 2_500_000


@pytest.mark.parametrize("page", PAGES)
def test_outside_the_mask_character_and_background_are_equal(drawn: Path, page: int) -> None:
    outside = _read(drawn, page, "person_mask") == 0
    character, background = _read(drawn, page, "character"), _read(drawn, page, "background")
    assert np.array_equal(character[outside], background[outside])


@pytest.mark.parametrize("page", PAGES)
def test_inside_the_mask_there_is_a_child(drawn: Path, page: int) -> None:
    inside = _read(drawn, page, "person_mask") == 255
    character, background = _read(drawn, page, "character"), _read(drawn, page, "background")
    changed = np.any(character[inside] != background[inside], axis=1)
    assert changed.mean() > 0.9
    assert 0.08 < inside.mean() < 0.5


@pytest.mark.parametrize("page", PAGES)
def test_the_mask_is_one_figure_that_covers_the_whole_face(
    drawn: Path, book: Book, page: int
) -> None:
    mask = _read(drawn, page, "person_mask")
    face = _inside(_face(book.page(page)), grow=1.15)
    assert mask[face].min() == 255
    _, _, stats, _ = cv2.connectedComponentsWithStats((mask > 127).astype(np.uint8))
    areas = np.sort(np.asarray(stats)[1:, cv2.CC_STAT_AREA])
    assert areas[-1] > 0.98 * areas.sum()


@pytest.mark.parametrize("page", PAGES)
def test_the_opening_holds_skin_and_its_rim_holds_fur(drawn: Path, book: Book, page: int) -> None:
    face = _face(book.page(page))
    character = _read(drawn, page, "character")
    pink = cv2.cvtColor(character, cv2.COLOR_BGR2LAB)[:, :, 1].astype(int) - 128
    skin = pink[_inside(face, 0.9)].mean()
    fur = pink[_inside(face, 1.18) & ~_inside(face, 1.06)].mean()
    hood = pink[_inside(face, 1.4) & ~_inside(face, 1.32)].mean()
    assert skin > fur + 3
    assert hood > fur + 15


@pytest.mark.parametrize("page", PAGES)
def test_the_opening_is_large_frontal_and_shaped_as_the_hood(book: Book, page: int) -> None:
    face = _face(book.page(page))
    assert 170 <= face.height <= 260
    assert face.width == pytest.approx(0.8 * face.height)
    assert abs(face.angle) <= 8


@pytest.mark.parametrize("page", PAGES)
def test_words_stand_on_a_quiet_ground(drawn: Path, book: Book, page: int) -> None:
    boxes = [book.page(page).text_box]
    if page == book.cover_page:
        boxes.append(book.cover_title_box)
    for kind in ("background", "character"):
        light = _luminance(_read(drawn, page, kind))
        for box in boxes:
            ground = light[box.top : box.top + box.height, box.left : box.left + box.width]
            worst = np.percentile(ground, 95 if box.ink == "light" else 5)
            for paper in (float(ground.mean()), float(worst)):
                assert _contrast(INKS[box.ink], paper) >= 4.5


@pytest.mark.parametrize("page", PAGES)
def test_words_leave_the_child_free(drawn: Path, book: Book, page: int) -> None:
    box = book.page(page).text_box
    mask = _read(drawn, page, "person_mask")
    assert mask[box.top : box.top + box.height, box.left : box.left + box.width].max() == 0


@pytest.mark.parametrize("page", PAGES)
def test_the_face_stays_clear_of_the_trimmed_edge(book: Book, page: int) -> None:
    face = _face(book.page(page))
    across, down = face.reach()
    for centre, reach in ((face.center_x, across), (face.center_y, down)):
        assert centre - reach >= SAFE_PX
        assert centre + reach <= PAGE_PX - SAFE_PX


@pytest.mark.parametrize("page", PAGES)
def test_paint_runs_to_the_edge(drawn: Path, page: int) -> None:
    bare = np.all(_read(drawn, page, "background") > (237, 244, 247), axis=2, keepdims=True)
    for edge, inner in (
        (bare[:8], bare[40:60]),
        (bare[-8:], bare[-60:-40]),
        (bare[:, :8], bare[:, 40:60]),
        (bare[:, -8:], bare[:, -60:-40]),
    ):
        assert edge.mean() <= inner.mean() + 0.1


def _luminance(picture: Picture) -> NDArray[np.float64]:
    """Relative luminance by WCAG 2, 0..1."""
    part = picture[:, :, ::-1] / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ np.array([0.2126, 0.7152, 0.0722]))


def _contrast(ink: str, paper: float) -> float:
    colour = np.array([int(ink[at : at + 2], 16) for at in (5, 3, 1)], dtype=np.uint8)
    lighter, darker = sorted((float(_luminance(colour[None, None])[0, 0]), paper), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_another_process_draws_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "books", "draw", "--out", str(tmp_path), "--page", "22"]
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run(
        [*command, "--book", "moonlit-fox"],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for kind in KINDS:
        name = f"page_22/{kind}.png"
        assert (tmp_path / "moonlit-fox" / name).read_bytes() == (drawn / name).read_bytes()


def test_what_is_drawn_and_current_is_left_alone(tmp_path: Path) -> None:
    assert [path.name for path in draw_book("moonlit-fox", tmp_path, [6, 32])] == [
        "page_06",
        "page_32",
    ]
    assert draw_book("moonlit-fox", tmp_path, [6, 32]) == []


def test_a_damaged_picture_is_drawn_again(tmp_path: Path) -> None:
    (folder,) = draw_book("moonlit-fox", tmp_path, [32])
    whole = (folder / "character.png").read_bytes()
    (folder / "character.png").write_bytes(whole[:5000])
    assert draw_book("moonlit-fox", tmp_path, [32]) == [folder]
    assert (folder / "character.png").read_bytes() == whole


def test_a_page_that_the_book_lacks_is_a_key_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no page 36"):
        draw_book("moonlit-fox", tmp_path, [36])


def test_the_drawn_folder_is_a_library_itself(drawn: Path, book: Book) -> None:
    assert load_books(drawn.parent) == {"moonlit-fox": book}


def test_an_unknown_book_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="there is no book sunlit-owl"):
        draw_book("sunlit-owl", tmp_path)
