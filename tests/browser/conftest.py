"""One JupyterLab and one browser for all browser tests. Without chromium they are skipped, with a line that says so."""

import shutil
from pathlib import Path

import pytest
from lab_server import BROWSER_ARGUMENTS, JupyterLab, find_chromium
from open_explorer import CELLS, ExplorerNotebook
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def browser():
    path = find_chromium()
    if path is None:
        pytest.skip("NO CHROMIUM FOUND: the lessons were NOT opened in a browser (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=BROWSER_ARGUMENTS)


@pytest.fixture(scope="session")
def lab(tmp_path_factory, browser):
    """JupyterLab over a copy of the lessons, so that nothing is written into the checkout."""
    root = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "images", root / "images")
    (root / "notebooks").mkdir()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, root / "notebooks")
    server = JupyterLab(root, tmp_path_factory.mktemp("jupyter"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def explorer_notebook(request, browser, lab):
    """One notebook, run once, with all explorers, or with those alone whose own tests are wanted."""
    wanted = {item.path.stem for item in request.session.items}
    own_tests = {f"test_{name}_explorer": name for name in CELLS}
    names = {own_tests[stem] for stem in wanted} if wanted <= set(own_tests) else set(CELLS)
    notebook = ExplorerNotebook(browser, lab, {name: code for name, code in CELLS.items() if name in names})
    assert notebook.state["errors"] == []
    return notebook
