"""The package is quick to import, and its modules depend on each other in one direction."""

import ast
import graphlib
import io
import subprocess
import sys
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "course_utils"


def test_importing_the_package_brings_no_plots_and_no_widgets():
    code = (
        "import sys, course_utils; print([m for m in ('matplotlib', 'ipywidgets', 'timm', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# The rooms, from the ground up: a module imports from its own room and from those before it. The door, which is
# ``course_utils`` itself, shows three names of the room "model".
ROOMS = (
    "support",  # files, settings, devices: nothing of images and models
    "data",
    "model",
    "analysis",
    "training",
    "beyond",  # models of part two, with their tasks
    "zoo",  # every kind of model and task by name, and the weights that ship
    "lessons",  # the table of lessons, which the course map draws
    "plots",
    "report",
    "explore",
    "checks",
    "experiments",
    "doctor",
    "cli",
    "__main__",
)
# (module, what it imports): why it may
EXCEPTIONS = {
    ("course_utils.support.environment", "course_utils"): "every record says the version, which setuptools reads there",
}
LONGEST_FILE, LONGEST_CLASS = 400, 200
LONGER: dict[str, str] = {}  # file or class -> why it may be longer


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path: Path) -> set[str]:
    """Modules of the package that a file imports anywhere, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in FILES else str(node.module) for name in named}
    return {name for name in found if name in FILES} - {module_name(path)}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "the door"


ARROWS = {(module, other) for module, path in FILES.items() for other in imports_of(path)}


def test_every_module_stands_in_a_room():
    assert {room_of(module) for module in FILES} == {*ROOMS, "the door"}


def test_imports_go_down_only():
    floor = {room: number for number, room in enumerate(ROOMS)} | {"the door": ROOMS.index("model") + 0.5}
    up = {(one, two) for one, two in ARROWS if floor[room_of(one)] < floor[room_of(two)]}
    assert up == set(EXCEPTIONS)


def test_there_is_no_import_cycle():
    # Importing a module of a package runs the package's __init__, which only names again what the modules hold.
    inits = {module for module, path in FILES.items() if path.name == "__init__.py"}
    graph = {module: {two for one, two in ARROWS if one == module} - inits for module in FILES.keys() - inits}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_files_and_classes_can_be_read_in_one_sitting():
    lengths = {}
    for module, path in FILES.items():
        source = path.read_text(encoding="utf-8")
        lengths[module] = len(source.splitlines()) / LONGEST_FILE
        code = lines_of_code(source)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                inside = code & set(range(node.lineno, (node.end_lineno or 0) + 1))
                lengths[f"{module}.{node.name}"] = len(inside) / LONGEST_CLASS
    assert {name for name, share in lengths.items() if share > 1} == set(LONGER)


def lines_of_code(source: str) -> set[int]:
    """The numbers of all lines but empty ones, comments and docstrings."""
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in blank]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


def test_lines_of_code_are_counted():
    source = '"""Doc."""\n\nclass A:\n    """Doc\n    on."""\n\n    # why\n    x = (  # here\n        1\n    )\n'
    assert lines_of_code(source) == {3, 8, 9, 10}
