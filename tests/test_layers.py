"""The import arrows of docs/architecture.md."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

OURS = {
    "contract",
    "storage",
    "books",
    "handler",
    "gateway",
    "comfy_nodes",
    "deploy",
    "supply",
    "sandbox",
    "benchmarks",
}
MAY_IMPORT: dict[str, set[str]] = {
    "contract": set(),
    "storage": {"contract"},
    "books": set(),
    "comfy_nodes": set(),
    "handler": {"contract", "storage"},
    "gateway": {"contract", "storage", "books"},
    "deploy": {"contract"},
    "supply": {"handler"},
    "containers": set(),
    "sandbox": {"contract", "storage"},
}
COMFYUI_OWN_NAMES = {
    "models", "utils", "app", "server", "nodes", "protocol", "middleware",
    "input", "output", "execution",
}  # fmt: skip


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Dotted names of everything that a module imports absolutely, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def tops(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_its_arrows_allow(package: str) -> None:
    assert modules(package), f"{package} has no modules"
    for path in modules(package):
        others = (tops(imports(path)) & OURS) - {package}
        assert others <= MAY_IMPORT[package], f"{path.relative_to(ROOT)} imports {others}"


def test_the_node_pack_imports_itself_relatively_only() -> None:
    """It is installed under another name, inside somebody else's ComfyUI."""
    for path in modules("comfy_nodes"):
        assert "comfy_nodes" not in tops(imports(path)), path


def test_importing_the_node_pack_imports_nothing_but_python() -> None:
    """ComfyUI's API is imported inside comfy_entrypoint, so that kernels are testable anywhere."""
    tree = ast.parse((ROOT / "comfy_nodes" / "__init__.py").read_text())
    top = {
        alias.name.split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").split(".")[0]
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.level == 0
    }
    assert top <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("image", ["handler", "gateway"])
def test_only_main_and_build_know_the_adapters(image: str) -> None:
    knowing = {
        path.relative_to(ROOT / image).as_posix()
        for path in modules(image)
        if any(name.startswith(f"{image}.adapters") for name in imports(path))
    }
    allowed = {"__main__.py", "build.py", "services.py", "workflows/__main__.py"}
    assert {name for name in knowing if not name.startswith("adapters/")} <= allowed


@pytest.mark.parametrize("package", sorted(OURS - {"sandbox", "benchmarks"}))
def test_only_settings_and_main_read_the_environment(package: str) -> None:
    for path in modules(package):
        if path.name in ("settings.py", "__main__.py", "launcher.py"):
            continue
        reads = [
            node.lineno
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
        ]
        assert not reads, f"{path.relative_to(ROOT)} reads the environment in lines {reads}"


def test_no_package_takes_a_name_of_comfyui() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert not packages & COMFYUI_OWN_NAMES
