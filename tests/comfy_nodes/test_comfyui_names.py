"""What the node pack uses of ComfyUI is listed, with a reason, where an operator finds it."""

import re
from pathlib import Path

import pytest

from tests.comfy_nodes.comfyui_names import PACK, names_used

PAGE = PACK.parent / "docs" / "comfyui-versions.md"


def test_the_page_lists_what_the_node_pack_uses_of_comfyui_and_nothing_else() -> None:
    text = PAGE.read_text()
    part = text[text.index("## What the node pack uses") :]
    rows = re.findall(r"^\| `([\w.]+)` \| (.+) \|$", part, re.MULTILINE)
    assert {name for name, _ in rows} == names_used()
    assert len(rows) == len(names_used())


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import comfy.utils\ncomfy.utils.ProgressBar(3)", {"comfy.utils.ProgressBar"}),
        ("import comfy.ops as ops\nops.manual_cast.Linear", {"comfy.ops.manual_cast.Linear"}),
        ("from server import PromptServer as S\nS.instance.x", {"server.PromptServer.instance.x"}),
        ("from comfy_api.latest import io\nio.Schema", {"comfy_api.latest.io"}),
        ("from comfy import sd", {"comfy.sd"}),
        ("def f():\n    import nodes\n    return nodes.SaveImage", {"nodes.SaveImage"}),
        ("import torch\nfrom .nodes import X\nX.y", set()),
    ],
)
def test_names_are_read_off_any_form_of_import(
    tmp_path: Path, source: str, names: set[str]
) -> None:
    (tmp_path / "module.py").write_text(source)
    assert names_used(tmp_path) == names
