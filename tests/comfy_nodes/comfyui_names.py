"""Which names of ComfyUI the node pack uses, read off its sources."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACK = Path(__file__).resolve().parents[2] / "comfy_nodes"

OF_COMFYUI = ("comfy", "comfy_api", "comfy_execution", "comfy_extras", "execution", "folder_paths")
OF_COMFYUI_TOO = ("latent_preview", "main", "node_helpers", "nodes", "server", "utils")
_TOPS = frozenset(OF_COMFYUI + OF_COMFYUI_TOO)


def names_used(pack: Path = PACK) -> set[str]:
    """Every dotted name of ComfyUI that a module of the pack uses, as far as the source shows it:
    ``comfy.utils.ProgressBar``. Of the public API only what is imported counts."""
    return {name for path in sorted(pack.rglob("*.py")) for name in _names_in(path)}


def _names_in(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    known = dict(_imported(tree))
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used = {
        dotted
        for node in ast.walk(tree)
        if isinstance(node, (ast.Attribute, ast.Name)) and id(node) not in inner
        if (dotted := _dotted(node, known))
    }
    for imported in known.values():
        is_used = any(name.startswith(imported) for name in used)
        if imported.startswith("comfy_api.") or (imported not in _TOPS and not is_used):
            yield imported
    yield from (name for name in used if not name.startswith("comfy_api."))


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                if top in _TOPS:
                    yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            module = node.module or ""
            if module.partition(".")[0] in _TOPS:
                for alias in node.names:
                    yield alias.asname or alias.name, f"{module}.{alias.name}"


def _dotted(node: ast.expr, known: dict[str, str]) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    if isinstance(node, ast.Name) and node.id in known:
        return ".".join([known[node.id], *parts])
    return None
