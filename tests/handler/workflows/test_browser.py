"""What our conversion claims, asked of ComfyUI's own frontend in Chromium."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from handler.workflows.check import graph_differences, graph_files
from handler.workflows.live import object_info
from handler.workflows.schema import Schema, parse
from handler.workflows.ui_graph import api_graph
from tests.handler.conftest import REPOSITORY
from tests.handler.workflows.browser import ComfyPage, comfy_with_frontend

pytestmark = pytest.mark.comfyui

GRAPHS = graph_files(REPOSITORY / "workflows")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ComfyPage, Schema]]:
    with comfy_with_frontend() as comfy:
        page = ComfyPage(comfy.url, tmp_path_factory.mktemp("chromium"))
        try:
            yield page, parse(object_info(comfy.url))
        finally:
            page.close()


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_browser_exports_the_released_graph(
    opened: tuple[ComfyPage, Schema], path: Path
) -> None:
    page, schema = opened
    exported = page.open_and_export(path.with_suffix(".ui.json").read_text())
    assert list(graph_differences(exported, json.loads(path.read_text()), schema)) == []


def test_bypassed_muted_rerouted_and_primitive_nodes_are_exported_as_we_convert_them(
    opened: tuple[ComfyPage, Schema],
) -> None:
    page, schema = opened
    text = (Path(__file__).parent / "every_rule.ui.json").read_text()
    exported = page.open_and_export(text)
    assert api_graph(json.loads(text), schema) == exported
    assert set(exported) == {"2", "3", "9", "10"}
