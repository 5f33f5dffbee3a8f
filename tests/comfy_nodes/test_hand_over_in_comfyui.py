"""The hand-over nodes give, in a real ComfyUI, the very bits of the nodes that they replace."""

import io
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from handler.exchange import exchanged, raw_slots
from handler.graph import load_workflow
from handler.pixels import decoded, encoded
from tests.comfy_nodes.comfy import Comfy, running_comfy
from tests.comfy_nodes.pictures import ASTRONAUT, ROOT, template

pytestmark = pytest.mark.comfyui

COLOURS = ("red", "green", "blue")
CHANNELS = ("alpha", *COLOURS)
READERS = {
    "core": ("LoadImage", "LoadImageMask"),
    "ours": ("FoxetalesReadPixels", "FoxetalesReadMask"),
}
Graph = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    base = tmp_path_factory.mktemp("comfyui")
    (base / "custom_nodes").mkdir()
    shutil.copy(ROOT / "tests/comfy_nodes/bit_nodes.py", base / "custom_nodes")
    with running_comfy(base) as running:
        yield running


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(mode: str) -> Image.Image:
    """A picture of random values, 7 pixels wide and 5 high."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(channels).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    return Image.frombytes(mode, (7, 5), values.tobytes())


def palette(transparency: bytes | int | None) -> bytes:
    image = noise("RGB").convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    options = {} if transparency is None else {"transparency": transparency}
    return saved(image, "PNG", **options)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(noise("RGB"), "JPEG", exif=exif)


def sixteen_bit(mode: str) -> bytes:
    channels = 3 if mode == "RGB" else 1
    values = np.random.default_rng(16).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    return cv2.imencode(".png", values)[1].tobytes()


def keyed(mode: str, key: Any) -> bytes:
    """A PNG whose one colour ``key`` is transparent."""
    image = noise(mode)
    image.putpixel((3, 2), key)
    return saved(image, "PNG", transparency=key)


FILES: dict[str, Callable[[], bytes]] = {
    "rgb.png": lambda: saved(noise("RGB"), "PNG"),
    "rgba.png": lambda: saved(noise("RGBA"), "PNG"),
    "grey.png": lambda: saved(noise("L"), "PNG"),
    "grey_alpha.png": lambda: saved(noise("LA"), "PNG"),
    "two_colours.png": lambda: saved(noise("L").convert("1"), "PNG"),
    "palette.png": lambda: palette(None),
    "palette_alpha.png": lambda: palette(bytes(range(0, 160, 10))),
    "palette_key.png": lambda: palette(3),
    "grey_16.png": lambda: sixteen_bit("I"),
    "rgb_16.png": lambda: sixteen_bit("RGB"),
    "grey_key.png": lambda: keyed("L", 77),
    "rgb_key.png": lambda: keyed("RGB", (10, 20, 30)),
    "rgb.jpg": lambda: saved(noise("RGB"), "JPEG"),
    "grey.jpg": lambda: saved(noise("L"), "JPEG"),
    "cmyk.jpg": lambda: saved(noise("CMYK"), "JPEG"),
    "two_pictures.jpg": lambda: saved(
        noise("RGB"), "MPO", save_all=True, append_images=[noise("RGB").rotate(180)]
    ),
    **{f"turned_{n}.jpg": lambda n=n: turned(n) for n in range(9)},  # type: ignore[misc]
    "rgb.webp": lambda: saved(noise("RGB"), "WEBP"),
    "rgba.webp": lambda: saved(noise("RGBA"), "WEBP", lossless=True),
}
HAVE_A_KEY = {"grey_key.png", "rgb_key.png"}
READ_ALIKE = ("rgb.png", "rgba.png", "palette_alpha.png", "palette_key.png")
"""What every ComfyUI reads as Pillow does. Newer ones read by FFmpeg, which rounds the others
otherwise, mirrors no photo, and refuses small grey pictures."""


def run(comfy: Comfy, graph: Graph) -> dict[str, dict[str, Any]]:
    """Run a graph; what each node showed, by node id."""
    events = comfy.run(graph)
    assert events[-1].type == "execution_success", events[-1].data
    return {e.data["node"]: e.data["output"] for e in events if e.type == "executed"}


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def bits(comfy: Comfy, name: str) -> tuple[tuple[int, ...], str, bytes]:
    """Shape, type and bytes of what a KeepBits node kept."""
    kept: npt.NDArray[Any] = np.load(comfy.base / "output" / f"{name}.npy")
    return kept.shape, str(kept.dtype), kept.tobytes()


def as_pillow_reads(data: bytes, name: str) -> dict[str, npt.NDArray[np.float32]]:
    """Image [1, H, W, 3], its mask [1, H, W], and the mask of each channel, 0..1."""
    with Image.open(io.BytesIO(data)) as file:
        picture = ImageOps.exif_transpose(file)
        if picture.mode == "I":
            picture = picture.point(lambda value: value * (1 / 255))
        has_alpha = "A" in picture.getbands() or name.startswith("palette_")
        bands = np.asarray(picture.convert("RGBA"), np.float32) / np.float32(255)
    masks = {channel: bands[None, ..., place] for place, channel in enumerate(COLOURS)}
    alpha = np.float32(1) - bands[None, ..., 3]
    without = np.zeros((1, 64, 64), np.float32)
    return {
        "image": bands[None, ..., :3],
        "mask": alpha if has_alpha else without,
        "alpha": alpha,
        **masks,
    }


def read_by(side: str, name: str, channels: Sequence[str]) -> Graph:
    """A graph that reads a file by ComfyUI's own nodes ("core") or by ours, and keeps the bits."""
    image_class, mask_class = READERS[side]
    file = name if side == "core" else f"{name}.npy"
    graph: Graph = {side: node(image_class, image=file)}
    for place, what in enumerate(("image", "mask")):
        kept = f"{name}_{side}_{what}"
        graph[kept] = node("KeepBits", **{what: [side, place]}, name=kept)
    for channel in channels:
        kept = f"{name}_{side}_{channel}"
        graph[f"{side}_{channel}"] = node(mask_class, image=file, channel=channel)
        graph[kept] = node("KeepBits", mask=[f"{side}_{channel}", 0], name=kept)
    return graph


@pytest.mark.parametrize("name", FILES)
def test_pixels_are_those_that_pillow_reads(comfy: Comfy, name: str) -> None:
    data = FILES[name]()
    (comfy.base / "input" / f"{name}.npy").write_bytes(decoded(data, name))
    channels = COLOURS if name in HAVE_A_KEY else CHANNELS
    run(comfy, read_by("ours", name, channels))
    expected = as_pillow_reads(data, name)
    for what in ("image", "mask", *channels):
        kept = expected[what]
        assert bits(comfy, f"{name}_ours_{what}") == (kept.shape, "float32", kept.tobytes()), what


@pytest.mark.parametrize("name", READ_ALIKE)
def test_pixels_are_those_that_loadimage_reads(comfy: Comfy, name: str) -> None:
    data = FILES[name]()
    (comfy.base / "input" / name).write_bytes(data)
    (comfy.base / "input" / f"{name}.npy").write_bytes(decoded(data, name))
    # LoadImageMask's own shape of an alpha that isn't there has changed.
    channels = COLOURS if name == "rgb.png" else CHANNELS
    run(comfy, read_by("core", name, channels) | read_by("ours", name, channels))
    for what in ("image", "mask", *channels):
        assert bits(comfy, f"{name}_ours_{what}") == bits(comfy, f"{name}_core_{what}"), what


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_contour_is_read_as_two_nodes_make_it(comfy: Comfy, channel: str) -> None:
    shape = np.zeros((40, 50, 4), np.uint8)
    cv2.circle(shape, (25, 20), 9, (255, 255, 200, 255), -1)
    np.save(comfy.base / "input" / "shape.npy", shape)
    inputs = {"image": "shape.npy", "channel": channel}
    distances = {"grow_px": 3, "feather_px": 5}
    two, one = f"two_{channel}", f"one_{channel}"
    graph = {
        "read": node("FoxetalesReadMask", **inputs),
        "feather": node("FoxetalesContourFeather", mask=["read", 0], **distances),
        "contour": node("FoxetalesReadContour", **inputs, **distances),
        two: node("KeepBits", mask=["feather", 0], name=two),
        one: node("KeepBits", mask=["contour", 0], name=one),
    }
    run(comfy, graph)
    assert bits(comfy, one) == bits(comfy, two)


@pytest.mark.parametrize("place", [(0, 0), (5, 3)])
@pytest.mark.parametrize("masks", [1, 2])
def test_pictures_are_laid_over_each_other_as_imagecompositemasked_does_it(
    comfy: Comfy, place: tuple[int, int], masks: int
) -> None:
    random = np.random.default_rng(masks)
    for name in ("below", "above"):
        values = random.uniform(-0.1, 1.1, (2, 70, 64, 3)).astype(np.float32)
        np.save(comfy.base / "input" / f"{name}_{masks}.npy", values)
    amount = np.repeat(random.random((masks, 70, 64, 1), np.float32), 3, axis=-1)
    np.save(comfy.base / "input" / f"amount_{masks}.npy", amount)
    graph = {
        "below": node("GiveBits", name=f"below_{masks}.npy"),
        "above": node("GiveBits", name=f"above_{masks}.npy"),
        "amount": node("GiveBits", name=f"amount_{masks}.npy"),
        "mask": node("ImageToMask", image=["amount", 0], channel="red"),
    }
    for side, over in (("core", "ImageCompositeMasked"), ("ours", "FoxetalesComposite")):
        kept = f"over_{masks}_{place[0]}_{side}"
        graph[side] = node(
            over,
            destination=["below", 0],
            source=["above", 0],
            x=place[0],
            y=place[1],
            resize_source=False,
            mask=["mask", 0],
        )
        graph[kept] = node("KeepBits", image=[side, 0], name=kept)
    run(comfy, graph)
    kept = f"over_{masks}_{place[0]}"
    assert bits(comfy, f"{kept}_ours") == bits(comfy, f"{kept}_core")


@pytest.mark.parametrize("channels", [3, 4])
def test_pixels_are_written_as_saveimage_writes_them(comfy: Comfy, channels: int) -> None:
    values = np.random.default_rng(7).uniform(-0.1, 1.1, (2, 48, 64, channels)).astype(np.float32)
    values[0] = (np.arange(48 * 64 * channels) % 256 / np.float32(255)).reshape(values[0].shape)
    np.save(comfy.base / "input" / f"values_{channels}.npy", values)
    prefix = f"job_{channels}/page"
    graph = {
        "values": node("GiveBits", name=f"values_{channels}.npy"),
        "core": node("SaveImage", images=["values", 0], filename_prefix=prefix),
        "ours": node("FoxetalesWritePixels", images=["values", 0], filename_prefix=prefix),
    }
    shown = run(comfy, graph)
    assert shown["ours"]["images"] == [
        {"filename": f"page_{n:05}_.npy", "subfolder": f"job_{channels}", "type": "output"}
        for n in (1, 2)
    ]
    folder = comfy.base / "output" / f"job_{channels}"
    for core, ours in zip(shown["core"]["images"], shown["ours"]["images"], strict=True):
        png, width, height = encoded((folder / ours["filename"]).read_bytes())
        expected = np.asarray(Image.open(folder / core["filename"]))
        assert (width, height) == (64, 48)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), expected)


def test_the_draft_page_is_the_same_with_and_without_the_exchange(comfy: Comfy) -> None:
    workflow = load_workflow(ROOT / "workflows/storybook_page_draft/v1.json")
    page = template()
    values = {"face_x": page.opening.x, "face_y": page.opening.y}
    values |= {"face_width": page.opening.width, "face_height": page.opening.height}
    art = {
        "photo": ASTRONAUT.read_bytes(),
        "background": _png(page.background),
        "character": _png(page.character),
        "person_mask": cv2.imencode(".png", page.person)[1].tobytes(),
    }
    assert raw_slots(workflow) == set(art)
    for slot, data in art.items():
        (comfy.base / "input" / f"{slot}.png").write_bytes(data)
        (comfy.base / "input" / f"{slot}.npy").write_bytes(decoded(data, slot))
    plain, raw = (
        workflow.fill(
            values,
            {slot: f"{slot}.{suffix}" for slot in art},
            filename_prefix=f"{suffix}/page",
            seed=1,
        )
        for suffix in ("png", "npy")
    )
    raw = exchanged(workflow, raw)
    assert raw.raw
    files = [
        comfy.base / "output" / image["subfolder"] / image["filename"]
        for graph in (plain, raw)
        for image in run(comfy, graph.prompt)[graph.output_node]["images"]
    ]
    png, width, height = encoded(files[1].read_bytes())
    assert (width, height) == (1024, 1024)
    before, after = (np.asarray(Image.open(io.BytesIO(p))) for p in (files[0].read_bytes(), png))
    assert np.array_equal(before, after)


def _png(picture: npt.NDArray[np.float32]) -> bytes:
    values = np.rint(picture[..., ::-1] * 255).astype(np.uint8)
    return cv2.imencode(".png", values)[1].tobytes()


@pytest.mark.parametrize(
    ("class_type", "inputs", "said"),
    [
        ("FoxetalesReadPixels", {"image": "../secret.npy"}, "no .npy file"),
        ("FoxetalesReadPixels", {"image": "missing.npy"}, "no .npy file"),
        ("FoxetalesReadMask", {"image": "missing.npy", "channel": "red"}, "no .npy file"),
        ("FoxetalesReadMask", {"image": "missing.npy", "channel": "purple"}, "not one of"),
        (
            "FoxetalesReadContour",
            {"image": "missing.npy", "channel": "red", "grow_px": 2, "feather_px": 3},
            "no .npy file",
        ),
    ],
)
def test_a_wrong_file_or_channel_is_refused_before_anything_runs(
    comfy: Comfy, class_type: str, inputs: dict[str, str], said: str
) -> None:
    np.save(comfy.base / "secret.npy", np.zeros((4, 4, 3), np.uint8))
    what = "image" if "Pixels" in class_type else "mask"
    graph = {
        "read": node(class_type, **inputs),
        "keep": node("KeepBits", **{what: ["read", 0]}, name="never"),
    }
    answer = comfy.submit(graph)
    assert answer.status_code == 400
    assert said in answer.json()["node_errors"]["read"]["errors"][0]["details"]


@pytest.mark.parametrize("prefix", ["../page", "/tmp/page", ".", "a/.."])
def test_a_prefix_does_not_lead_out_of_the_output_folder(comfy: Comfy, prefix: str) -> None:
    graph = {
        "paint": node("EmptyImage", width=16, height=16, batch_size=1, color=0),
        "write": node("FoxetalesWritePixels", images=["paint", 0], filename_prefix=prefix),
    }
    last = comfy.run(graph)[-1]
    assert last.type == "execution_error"
    assert "filename_prefix" in last.data["exception_message"]


def test_settling_runs_each_time_it_is_asked_for(comfy: Comfy) -> None:
    frozen = [run(comfy, {"1": node("FoxetalesSettle")})["1"]["frozen"][0] for _ in range(2)]
    assert min(frozen) > 100_000
