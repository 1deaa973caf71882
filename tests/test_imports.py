"""The package is quick to import, and its modules depend on each other in one direction."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "course_utils"


def test_importing_the_package_brings_no_plots_and_no_widgets():
    code = (
        "import sys, course_utils; print([m for m in ('matplotlib', 'ipywidgets', 'timm', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def imports_of(path: Path, modules: set[str]) -> set[str]:
    """Modules of the package that a file imports anywhere, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found & modules


def test_there_is_no_import_cycle():
    files = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    # Importing a module of a package runs the package's __init__, which only names again what the modules hold.
    modules = {name for name in files if not name.endswith("__init__")}
    graph = {name: imports_of(files[name], modules) for name in modules}
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError
    assert (
        order.index("course_utils.model.config")
        < order.index("course_utils.model.vit")
        < order.index("course_utils.training.trainer")
    )
    assert order.index("course_utils.training.trainer") < order.index("course_utils.cli")
