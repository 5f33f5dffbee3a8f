"""ComfyUI's own browser page in Chromium, with a workflow opened in it.

``python -m tests.handler.workflows.browser`` writes pictures of the newest versions of every
workflow to docs/images/.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import requests
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from handler.adapters.clock import SystemClock
from handler.comfy.process import ComfyOptions
from handler.workflows.check import graph_files
from handler.workflows.live import BootedComfy, booted, environment_of
from tests.comfyui_checkout import COMFYUI

REPOSITORY = Path(__file__).parents[3]
PATIENCE_S = 60
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root, and the pages are our own
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1400",
)
IS_READY = "return !!(window.app && app.graph && app.vueAppReady)"
IS_LOADED = "return app.graph.nodes.length === arguments[0] && app.graph.nodes[0].pos[0] != null"
EXPORT = """
const [text, done] = arguments;
(async () => {
    const file = new File([text], "workflow.json", {type: "application/json"});
    await app.handleFile(file);
    return JSON.stringify((await app.graphToPrompt()).output);
})().then(done, error => done("failed: " + error));
"""
SHOW_ALL = """
const done = arguments[0];
[...document.querySelectorAll("button")].find(  // of the banner with news
    button => button.getBoundingClientRect().top < 30 && !button.innerText.trim())?.click();
const sideBar = 70, tabs = 150;
const boxes = [...app.graph.nodes, ...app.graph.groups].map(item => item.boundingRect);
const left = Math.min(...boxes.map(box => box[0])), top = Math.min(...boxes.map(box => box[1]));
const width = Math.max(...boxes.map(box => box[0] + box[2])) - left;
const height = Math.max(...boxes.map(box => box[1] + box[3])) - top;
const page = app.canvas.canvas.getBoundingClientRect(), view = app.canvas.ds;
view.scale = Math.min(1, (page.width - sideBar - 20) / width, (page.height - tabs - 20) / height);
view.offset = [sideBar / view.scale - left, tabs / view.scale - top];
app.canvas.setDirty(true, true);
requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 500)));
"""


@contextmanager
def comfy_with_frontend() -> Iterator[BootedComfy]:
    """A ComfyUI with our nodes and its browser page."""
    frontend = str(files("comfyui_frontend_package") / "static")
    options = ComfyOptions(
        COMFYUI,
        environment_of(os.environ),
        extra_arguments=("--front-end-root", frontend),
    )
    with booted(options, REPOSITORY / "comfy_nodes", SystemClock()) as comfy:
        yield comfy


class ComfyPage:
    """The page of a running ComfyUI."""

    def __init__(self, url: str, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        options.binary_location = "/usr/bin/chromium"
        self._chrome = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self._chrome.set_script_timeout(PATIENCE_S)
        self._wait = WebDriverWait(self._chrome, PATIENCE_S)
        # No dialog of templates on the first visit, and nothing in front of the graph.
        settings = {
            "Comfy.TutorialCompleted": True,
            "Comfy.Minimap.Visible": False,
            "LiteGraph.Canvas.MinFontSizeForLOD": 0,  # words stay words, however small
        }
        requests.post(f"{url}/settings", json=settings, timeout=PATIENCE_S).raise_for_status()
        self._chrome.get(url)
        self._wait.until(lambda page: page.execute_script(IS_READY))

    def close(self) -> None:
        """End the browser."""
        self._chrome.quit()

    def open_and_export(self, ui: str) -> dict[str, Any]:
        """Open a file as by dropping it on the page; what Export (API) then gives."""
        answer = self._chrome.execute_async_script(EXPORT, ui)
        assert not answer.startswith("failed: "), answer
        self._wait.until(lambda page: page.execute_script(IS_LOADED, len(json.loads(ui)["nodes"])))
        exported: dict[str, Any] = json.loads(answer)
        return exported

    def take_picture(self, target: Path) -> None:
        """Write a PNG of the whole opened graph."""
        self._chrome.execute_async_script(SHOW_ALL)
        self._chrome.save_screenshot(str(target))


def main() -> None:
    """Take the pictures."""
    images = REPOSITORY / "docs" / "images"
    images.mkdir(parents=True, exist_ok=True)
    newest = {path.parent.name: path for path in graph_files(REPOSITORY / "workflows")}
    with comfy_with_frontend() as comfy, tempfile.TemporaryDirectory() as profile:
        page = ComfyPage(comfy.url, Path(profile))
        try:
            for name, path in newest.items():
                page.open_and_export(path.with_suffix(".ui.json").read_text())
                page.take_picture(images / f"{name}.png")
        finally:
            page.close()


if __name__ == "__main__":
    main()
