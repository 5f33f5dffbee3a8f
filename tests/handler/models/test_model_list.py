"""The model list: its form, its errors, the customer's own lines, and the released workflows."""

from pathlib import Path

import pytest

from handler.errors import WorkflowInvalid
from handler.graph import load_workflows
from handler.models.licences import licence
from handler.models.stock import needed
from handler.workflows.model_list import ListedModel, local_list_of, read_model_list
from tests.handler.conftest import REPOSITORY

SHA = "ab" * 32
LINE = f"vae/a.safetensors  12  {SHA}  MIT  open  https://example.com/a"


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_line_says_all_of_a_file(tmp_path: Path) -> None:
    path = written(
        tmp_path / "models.txt",
        "# a comment",
        "",
        LINE,
        "loras/deep/own-1.2.safetensors  -  -  LicenseRef-Own  gated  configuration",
    )
    assert list(read_model_list(path).values()) == [
        ListedModel("vae", "a.safetensors", SHA, "MIT", "https://example.com/a", 12, False),
        ListedModel(
            "loras", "deep/own-1.2.safetensors", None, "LicenseRef-Own", "configuration", None, True
        ),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("vae/a.pt", "1 parts instead of 6"),
        (f"vae/a.pt  12  {SHA}  MIT  open", "5 parts instead of 6"),
        (f"vae/a.pt 12 {SHA} MIT open configuration", "1 parts"),
        (f"../a.pt  12  {SHA}  MIT  open  configuration", "no 'folder/file'"),
        (f"vae/../../a.pt  12  {SHA}  MIT  open  configuration", "no 'folder/file'"),
        (f"/etc/passwd  12  {SHA}  MIT  open  configuration", "no 'folder/file'"),
        (f"vae/.hidden  12  {SHA}  MIT  open  configuration", "no 'folder/file'"),
        (f"vae  12  {SHA}  MIT  open  configuration", "no 'folder/file'"),
        (f"vae/a.pt  0  {SHA}  MIT  open  configuration", "the size is"),
        (f"vae/a.pt  1.5  {SHA}  MIT  open  configuration", "the size is"),
        (f"vae/a.pt  ²  {SHA}  MIT  open  configuration", "the size is"),
        ("vae/a.pt  12  abc  MIT  open  configuration", "the sha256 is"),
        (f"vae/a.pt  12  {SHA.upper()}  MIT  open  configuration", "the sha256 is"),
        (f"vae/a.pt  12  {SHA}  to be checked  open  configuration", "the licence is"),
        (f"vae/a.pt  12  {SHA}  MIT  closed  configuration", "open or gated"),
        (f"vae/a.pt  12  {SHA}  MIT  open  somewhere/else", "the source is"),
        (f"vae/a.pt  12  {SHA}  MIT  open  http://example.com/a", "the source is"),
        (f"vae/a.pt  12  {SHA}  MIT  open  https://", "the source is"),
        (f"vae/a.pt  12  {SHA}  MIT  open  https://me:secret@example.com/a", "the source is"),
        (f"vae/a.pt  12  {SHA}  MIT  open  https://[secret/a", "the source is"),
        ("vae/a.pt  12  -  MIT  open  https://example.com/a", "needs its sha256"),
    ],
)
def test_a_malformed_line_is_numbered(tmp_path: Path, line: str, expected: str) -> None:
    path = written(tmp_path / "models.txt", "# models", line)
    with pytest.raises(WorkflowInvalid, match=f"line 2: .*{expected}") as refusal:
        read_model_list(path)
    assert "secret" not in str(refusal.value)


def test_every_wrong_line_is_named_at_once_in_both_lists(tmp_path: Path) -> None:
    path = written(tmp_path / "models.txt", "x", LINE, LINE, "y")
    local = written(tmp_path / "models.local.txt", LINE, "z")
    with pytest.raises(WorkflowInvalid) as refusal:
        read_model_list(path, local)
    parts = str(refusal.value).split("; ")
    assert [part.partition("line ")[2].split(":")[0] for part in parts if "line " in part] == [
        *("1", "3", "4", "2"),
    ]
    assert "vae/a.safetensors is listed twice" in str(refusal.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_list_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "models.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WorkflowInvalid, match=r"models\.txt: not"):
        read_model_list(path)


def test_a_customers_line_takes_the_place_of_ours_or_adds_a_file(tmp_path: Path) -> None:
    path = written(tmp_path / "models.txt", LINE, f"vae/b.pt  1  {SHA}  MIT  open  configuration")
    local = written(
        tmp_path / "models.local.txt",
        f"vae/b.pt  2  {SHA}  MIT  open  https://example.com/b?signature=x",
        f"loras/c.pt  3  {SHA}  MIT  open  configuration",
    )
    assert [(m.name, m.size_bytes) for m in read_model_list(path, local).values()] == [
        ("vae/a.safetensors", 12),
        ("vae/b.pt", 2),
        ("loras/c.pt", 3),
    ]


def test_the_customers_list_is_the_told_one_or_lies_beside(tmp_path: Path) -> None:
    path = tmp_path / "models.txt"
    assert local_list_of(path, None) is None
    local = written(tmp_path / "models.local.txt", LINE)
    assert local_list_of(path, None) == local
    assert local_list_of(path, tmp_path / "told.txt") == tmp_path / "told.txt"


def test_the_released_workflows_need_exactly_what_is_listed() -> None:
    listed = read_model_list(REPOSITORY / "models.txt")
    workflows = list(load_workflows(REPOSITORY / "workflows"))
    assert needed(workflows, listed) == list(listed.values())


def test_every_listed_file_can_be_fetched_and_checked_or_is_the_customers() -> None:
    own = []
    for model in read_model_list(REPOSITORY / "models.txt").values():
        if model.url is None:
            own.append(model.name)
        else:
            assert model.size_bytes, model.name
            assert model.sha256, model.name
    assert all(name.startswith("loras/") for name in own)
    assert len(own) == 3


def test_every_licence_of_the_list_was_read_by_somebody() -> None:
    for model in read_model_list(REPOSITORY / "models.txt").values():
        found = licence(model.licence)
        assert found.commercial or found.note, model.name
        assert "nobody" not in found.note, model.name


def test_the_page_on_licences_names_every_file_its_size_and_its_licence() -> None:
    page = (REPOSITORY / "docs/models-and-licences.md").read_text()
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line[:3] == "| `"}
    for model in read_model_list(REPOSITORY / "models.txt").values():
        if model.name.startswith("loras/style_"):
            continue  # told together with the first of them
        row = next(row for cell, row in rows.items() if cell.startswith(f"`{model.name}`"))
        assert model.licence in row
        assert model.size_bytes is None or f"{model.size_bytes:,}" in row
