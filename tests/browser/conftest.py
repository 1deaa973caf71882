"""One JupyterLab and one browser for all browser tests. Without chromium they are skipped, with a line that says so."""

import shutil
from pathlib import Path

import pytest
from lab_server import BROWSER_ARGUMENTS, JupyterLab, find_chromium
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
