"""A copy of a released workflow that a test may break."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handler.workflows.model_list import ListedModel, read_model_list
from handler.workflows.schema import NodeSchema, load
from tests.handler.conftest import REPOSITORY

NAME = "storybook_page_draft"
Edit = Callable[[Any], None]


class Draft:
    """The files of a workflow's first version in a folder of workflows of their own."""

    def __init__(self, folder: Path, name: str = NAME) -> None:
        self.folder = folder
        self.name = name
        (folder / name).mkdir()
        for source in (REPOSITORY / "workflows" / name).glob("v1.*"):
            shutil.copy(source, folder / name)
        lines = (REPOSITORY / "workflows" / "RELEASED").read_text().splitlines(keepends=True)
        (folder / "RELEASED").write_text("".join(line for line in lines if f" {name}/v1." in line))

    def read(self, name: str) -> Any:
        return json.loads((self.folder / self.name / name).read_text())

    def edit(self, name: str, change: Edit) -> Path:
        """Change a file in place."""
        return self.write_edited(self.folder / self.name / name, name, change)

    def write_edited(self, target: Path, name: str, change: Edit) -> Path:
        """Write a changed copy of a file elsewhere."""
        content = self.read(name)
        change(content)
        target.write_text(json.dumps(content))
        return target

    def state(self) -> dict[str, bytes]:
        """Every file below the folder."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    folder = tmp_path / "workflows"
    folder.mkdir()
    return Draft(folder)


@pytest.fixture(scope="session")
def schema() -> dict[str, NodeSchema]:
    return load(REPOSITORY / "workflows" / "object_info.json")


@pytest.fixture(scope="session")
def models() -> dict[tuple[str, str], ListedModel]:
    return read_model_list(REPOSITORY / "models.txt")
