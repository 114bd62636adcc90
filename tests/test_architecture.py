"""The house rules, read from the sources: who imports whom, one door per package, index pages, file sizes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {"complexity": "nncomplexity", "cli": "nncomplexity.cli", "hw": "nncomplexity.hw"}
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
# What a room may import of the others; a room always may import itself.
ROOMS = {
    "errors": set(),
    "version": set(),
    "polynomials": {"errors"},
    "expressions": {"errors", "polynomials"},
    "dimensions": {"expressions"},
    "element_types": {"errors"},
    "formats": {"errors", "expressions"},
    "ops": {"expressions", "formats"},
    "requantization": set(),
    "arithmetic": {"expressions", "formats", "ops", "requantization"},
    "accounting": {"arithmetic", "errors", "expressions", "formats", "ops", "requantization", "weights"},
    "encoding": set(),
    "shapes": {"encoding", "expressions", "formats"},
    "grids": {"encoding", "formats", "shapes"},
    "weights": {"errors"},
    "globs": set(),
    "quantization": {"errors", "formats", "globs"},
    "layers": {"arithmetic", "dimensions", "errors", "expressions", "formats", "ops"},
    "network": {"accounting", "encoding", "expressions", "formats", "ops", "shapes"},
    "metrics": {"expressions", "formats", "ops"},
    "letters": set(),
    "kinds": {"errors", "expressions", "layers", "letters"},
    "catalogue": {
        "accounting",
        "errors",
        "expressions",
        "formats",
        "kinds",
        "layers",
        "network",
        "ops",
        "quantization",
        "shapes",
    },
    "operators": {
        "accounting",
        "arithmetic",
        "element_types",
        "encoding",
        "errors",
        "expressions",
        "formats",
        "grids",
        "layers",
        "ops",
        "shapes",
    },
}
ALONE = {
    "sympy": {"formulas.py"},
    "tabulate": {"render"},
    "matplotlib": {"render"},
    "onnx": {"parsers"},
    "google": {"parsers"},
}


def imports(path: Path) -> list[tuple[str, bool]]:
    """Absolute names a file imports, and whether only for type checking."""
    package = ("nncomplexity", *path.relative_to(ROOT / "complexity").parts[:-1]) if "complexity" in path.parts else ()
    found: list[tuple[str, bool]] = []
    tree = ast.parse(path.read_text("utf-8"))
    typing = {id(child) for node in ast.walk(tree) if _is_type_checking(node) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.extend((alias.name, id(node) in typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            names = [f"{module}.{alias.name}" for alias in node.names] if node.module is None else [module]
            found.extend((name, id(node) in typing) for name in names)
    return found


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def room(path: Path) -> str:
    """The room of a file: its folder inside complexity/, or its own name at the top."""
    return path.relative_to(ROOT / "complexity").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted((ROOT / "complexity").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_only_what_they_may(path: Path) -> None:
    allowed = ROOMS.get(room(path))
    if allowed is None:
        return
    for name, only_typing in imports(path):
        parts = name.split(".")
        if parts[0] == "nncomplexity" and len(parts) > 1 and not only_typing:
            assert parts[1] in allowed | {room(path)}, f"{room(path)} imports {parts[1]}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_each_third_party_package_has_one_door(path: Path) -> None:
    parts = set(path.parts)
    for name, only_typing in imports(path):
        doors = ALONE.get(name.split(".")[0])
        assert doors is None or only_typing or doors & parts, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_small_and_well_named(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "common", "misc"}
    assert len(path.read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_functions_are_short(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 48, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_evaluates_text(path: Path) -> None:
    forbidden = {"eval", "exec", "sympify", "parse_expr", "compile", "S"}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = getattr(getattr(node.func, "value", None), "id", "")
            assert name not in forbidden or owner == "re", f"{path.name}:{node.lineno} calls {name}"


def test_index_pages_name_every_file_of_their_folder() -> None:
    for folder, kept in (("metrics", {"metric", "prediction"}), ("operators", None)):
        index = (ROOT / "complexity" / folder / "__init__.py").read_text("utf-8")
        for path in (ROOT / "complexity" / folder).glob("*.py"):
            defines = "OPERATORS: tuple" in path.read_text("utf-8") or "\nOPERATORS = " in path.read_text("utf-8")
            if path.stem == "__init__" or (kept is not None and path.stem in kept) or (kept is None and not defines):
                continue
            named = f"    {path.stem}," in index or f'    "{path.stem}": ' in index
            assert named, f"{folder}/{path.name} is not on its index page"


def test_the_layer_index_is_the_folder() -> None:
    """Every kind of layer is on the index page, but for the two that only operators of a file are made of."""
    from nncomplexity.layers import LAYERS

    found: dict[str, str] = {}
    for path in (ROOT / "complexity" / "layers").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for name, kind in _kinds(node):
                if kind and path.stem not in ("contraction", "convolution"):
                    found[kind] = f"{path.stem}:{name}"
    assert found == LAYERS
    assert list(LAYERS) == sorted(LAYERS)


def _kinds(node: ast.AST) -> list[tuple[str, str]]:
    """The class and the kind it declares, if it declares one."""
    if not isinstance(node, ast.ClassDef):
        return []
    lines = [each for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.value, ast.Constant)]
    return [(node.name, each.value.value) for each in lines if getattr(each.target, "id", "") == "kind"]


def test_the_package_list_is_the_folders() -> None:
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"])
    folders = {
        ".".join([name, *path.parent.relative_to(ROOT / folder).parts])
        for folder, name in FOLDERS.items()
        for path in (ROOT / folder).rglob("*.py")
    }
    assert listed == folders


def test_the_sources_name_no_machine_and_no_workplace() -> None:
    forbidden = ("/home/", "/root/", "/tmp/")
    for path in [*SOURCES, *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
        text = path.read_text("utf-8") if path.exists() else ""
        assert not [word for word in forbidden if word in text], path
