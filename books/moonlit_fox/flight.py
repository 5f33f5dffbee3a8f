"""Pages 12 to 16: up in a balloon, through the morning, through a cloud, into the cold."""

from __future__ import annotations

from books.atelier import animals, balloon, land, plants, sky, water, wilds
from books.atelier.brush import Brush
from books.atelier.child import Pose
from books.atelier.fox import FoxPose
from books.atelier.scene import Painter, Scene, part
from books.atelier.shapes import Placement, Point, ellipse
from books.atelier.sheet import Fade, Sheet
from books.moonlit_fox import parts

ABOARD = Pose(left=((-150, 262), (-128, 300)), right=((150, 262), (128, 300)), legs=False, tail=0)


def aboard(mouth: Placement, basket: Placement, *, envelope: bool = True) -> Painter:
    """The balloon behind its passengers; without its envelope when that is out of the picture."""

    def paint(sheet: Sheet, _: Placement) -> None:
        if envelope:
            balloon.envelope(sheet, mouth)
        balloon.ropes(sheet, mouth, basket, front=False)
        balloon.basket_inside(sheet, basket)
        balloon.ropes(sheet, mouth, basket, front=True)

    return paint


def night_below(sheet: Sheet) -> None:
    """A night sky; the lake with the moon in it lies below."""
    sky.graded(sheet, "#233468", "#8fabd0", 800)
    sky.stars(sheet, (0, 0, 1024, 620), 200, 18, [])
    plants.hill(
        sheet, [800, 780, 770, 760, 770, 780, 756, 740, 760], "#4d6c9c", "#9fb8cc", depth=120
    )
    plants.hill(
        sheet, [860, 850, 846, 850, 856, 850, 840, 836, 840], "#3f6480", "#6f98a0", depth=200
    )
    pond = ellipse(800, 930, 230, 50)
    sheet.wash(pond, "#86b0c4", 1.0, reserve=1.0, edge=0.6, flow=0.4)
    water.second_moon(sheet, (850, 930), 26, 4)
    plants.grove(
        sheet,
        [(x, 900.0 + x % 50, 40.0 + x % 26) for x in (600, 640, 660, 700, 950, 990, 1010)],
        "#2f5470",
        560,
        reserve=0.8,
    )


def dawn(sheet: Sheet, horizon: float, sun: Point) -> None:
    """Tomorrow behind the edge of the world."""
    sky.graded(sheet, "#8a94d0", "#f7c9c4", 470, flow=0.12)
    low = sky.rectangle(0, 300, 1024, horizon + 20)
    sheet.wash(low, "#f8bd80", 0.95, edge=0, fade=Fade((0, 360), (0, 660), 0.0, 1.0), flow=0.2)
    sky.stars(sheet, (0, 0, 1024, 330), 40, 5, [])
    sheet.glow(sun, 380, "#f6b060", 0.4, 1.2)
    sheet.glow(sun, 150, "#fff0b8", 0.85, 1.5)
    sheet.gouache(ellipse(*sun, 56, 56), "#fffbe8", 1.0, soft=1.5, dry=0)


def fields_below(sheet: Sheet, horizon: float) -> None:
    """A quilt of fields with a river and a few houses."""
    plants.hill(
        sheet,
        [horizon + h for h in (-35, -22, -40, -62, -50, -30, -72, -90, -64)],
        "#b196bd",
        "#f0c6b4",
        depth=100,
    )
    tones = ("#c9c98a", "#a9bf8a", "#e3c987", "#8fae8c", "#d9b48a", "#b7a9b8", "#9dbba4")
    land.fields(sheet, horizon, tones, "#f6d4b4", 3)
    bends = (
        (330, 14),
        (270, 38),
        (180, 54),
        (214, 96),
        (150, 152),
        (40, 200),
        (70, 270),
        (20, 350),
    )
    widths = [3.0, 6, 10, 16, 24, 34, 46, 60]
    land.river(sheet, [(float(x), horizon + y) for x, y in bends], widths)
    land.hedges(sheet, horizon, "#6f8f78", 9, 130)
    for x, down, size, roof in (
        (250, 122, 40, "#b5594c"),
        (206, 136, 34, "#8a6a86"),
        (130, 220, 50, "#b5594c"),
        (300, 250, 60, "#a87850"),
    ):
        land.cottage(sheet, (x, horizon + down), size, roof)


def dawn_clouds(sheet: Sheet, heaps: list[tuple[float, float, float, float]]) -> None:
    """Peach clouds, each (x, y, width, height)."""
    for index, (x, y, width, height) in enumerate(heaps):
        sky.cloud(
            sheet,
            (x, y),
            width,
            height,
            index + 1,
            colour="#fff0e0",
            shadow="#c890a8",
            opacity=0.85,
        )


def violet_dawn(sheet: Sheet) -> None:
    """The last of the night; a rim of light at its foot."""
    sky.graded(sheet, "#33407f", "#e9a9b4", 900, flow=0.12)
    sky.stars(sheet, (0, 0, 1024, 420), 110, 19, [])
    low = sky.rectangle(0, 640, 1024, 1044)
    sheet.wash(low, "#f8c48a", 0.9, edge=0, fade=Fade((0, 700), (0, 1000), 0.0, 1.0))
    dawn_clouds(
        sheet, [(860, 800, 380, 70), (600, 900, 420, 80), (960, 980, 420, 100), (120, 480, 200, 36)]
    )


def inside_a_cloud(sheet: Sheet) -> None:
    """White, and the light comes from everywhere."""
    sky.graded(sheet, "#e3e6f2", "#fbf6f0", 900, flow=0.2)
    sheet.glow((700, 300), 420, "#fff2d8", 0.5, 1.4)
    for x, y, width, height in (
        (160, 420, 420, 130),
        (860, 480, 460, 150),
        (500, 640, 520, 130),
        (120, 820, 460, 140),
        (900, 860, 480, 150),
    ):
        sky.cloud(
            sheet, (x, y), width, height, int(x), colour="#ffffff", shadow="#c3c8e0", opacity=0.8
        )


def veil(sheet: Sheet) -> None:
    """The cloud hides what is above."""
    for y, strength in ((60, 1.0), (150, 1.0), (240, 0.9), (310, 0.6)):
        sky.mist(sheet, y, 120, "#f3f3f8", strength, y)


def cold_peaks(sheet: Sheet) -> None:
    """Snowy mountains in a blue night, clouds about their feet."""
    sky.graded(sheet, "#1f2f66", "#8fa6d8", 860)
    sky.stars(sheet, (0, 0, 1024, 560), 220, 29, [])
    sky.moon(sheet, (150, 420), 60)
    wilds.peak(sheet, (260, 560), 620, 960, "#8fa4d8", "#4d5fa4", 2)
    wilds.peak(sheet, (560, 660), 520, 980, "#7f94cc", "#43549a", 3)
    wilds.peak(sheet, (40, 680), 460, 1000, "#7386c4", "#3c4c90", 5)
    wilds.peak(sheet, (960, 620), 560, 980, "#7f94cc", "#43549a", 8)
    wilds.cloud_bank(sheet, 900, 6, colour="#c6d0ee", shadow="#6f80bc", height=90)


def flock(sheet: Sheet, birds: list[tuple[float, float, float]]) -> None:
    """Geese, each (x, y, scale)."""
    for index, (x, y, scale) in enumerate(birds):
        animals.goose(sheet, Placement(x, y, scale, -4 + index % 3 * 4))


def far_birds(sheet: Sheet) -> None:
    """Birds, just two strokes each."""
    for x, y, span, tilt in ((420, 250, 20, -8), (392, 290, 15, 6), (410, 380, 13, -4)):
        brush = Brush(sheet, Placement(x, y, span / 20, tilt))
        wings = [(-20.0, -5.0), (-9.0, -9.0), (0.0, 2.0), (9.0, -9.0), (20.0, -5.0)]
        brush.stroke(wings, [1, 3.4, 3.6, 3.4, 1], "#5a4a6a")


def low_clouds(sheet: Sheet, colour: str, shadow: str) -> None:
    """Clouds that drift before the basket's foot."""
    for x, width, height, seed in ((60, 380, 90, 11), (960, 420, 84, 12)):
        sky.cloud(sheet, (x, 1016), width, height, seed, colour=colour, shadow=shadow, opacity=0.95)


def _basket(at: Placement) -> Painter:
    return part(balloon.basket_front, at)


LIFTED = Placement(362, 780, 0.95)
RISEN = Placement(680, 790, 0.95)
GREETED = Placement(350, 800, 0.95)
CLOUDED = Placement(540, 800, 1.0)
FROZEN = Placement(570, 800, 1.0)

LIFT_OFF = Scene(
    seed=31,
    backdrop=(
        part(night_below),
        aboard(Placement(362, 172, 0.95), LIFTED),
        parts.fox(Placement(510, 632, 0.7, flip=True), FoxPose(tilt=-7, turn=0.5, shade=-1.0)),
    ),
    hero=(parts.child(ABOARD),),
    foreground=(_basket(LIFTED), part(low_clouds, "#c3cfe8", "#6f80b4")),
)

MORNING = Scene(
    seed=37,
    backdrop=(
        part(dawn, 700, (120, 640)),
        part(fields_below, 700),
        part(dawn_clouds, [(930, 470, 300, 70), (960, 620, 240, 44), (250, 600, 200, 34)]),
        part(far_birds),
        aboard(Placement(680, 172, 0.95), RISEN),
        parts.fox(Placement(820, 640, 0.7, flip=True), FoxPose(tilt=-7, turn=0.5, shade=-1.0)),
    ),
    hero=(
        parts.child(
            Pose(
                left=((-166, 220), (-214, 150)), right=((120, 262), (110, 278)), legs=False, tail=0
            )
        ),
    ),
    foreground=(_basket(RISEN), part(low_clouds, "#fff6ea", "#c79ab4")),
)

GEESE = Scene(
    seed=38,
    backdrop=(
        part(violet_dawn),
        part(flock, [(640, 400, 0.7), (770, 470, 0.9), (900, 400, 0.62), (870, 590, 1.0)]),
        aboard(Placement(350, -330, 1.0), GREETED, envelope=False),
        parts.fox(Placement(488, 650, 0.7, flip=True), FoxPose(tilt=-7, turn=0.8)),
    ),
    hero=(parts.child(parts.half(parts.WAVING_LEFT)),),
    foreground=(_basket(GREETED), part(low_clouds, "#ffe9dc", "#b98ab0")),
)

CLOUD = Scene(
    seed=39,
    backdrop=(
        part(inside_a_cloud),
        aboard(Placement(540, -330, 1.0), CLOUDED, envelope=False),
        part(veil),
        parts.fox(Placement(690, 650, 0.72, flip=True), FoxPose(tilt=6, turn=0.3, asleep=True)),
    ),
    hero=(parts.child(ABOARD),),
    foreground=(_basket(CLOUDED), part(low_clouds, "#ffffff", "#c3c8e0")),
)

COLD = Scene(
    seed=40,
    backdrop=(
        part(cold_peaks),
        aboard(Placement(570, -330, 1.0), FROZEN, envelope=False),
        parts.fox(Placement(478, 668, 0.72), FoxPose(tilt=12, turn=0.4, asleep=True)),
    ),
    hero=(parts.child(ABOARD),),
    foreground=(_basket(FROZEN), parts.snowfall(90, 90, 16)),
)

SCENES: dict[int, Scene] = {12: LIFT_OFF, 13: MORNING, 14: GEESE, 15: CLOUD, 16: COLD}
