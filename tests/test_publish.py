"""``make publish`` writes one address everywhere, and its check notices drift."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path):
    """A copy of the files that hold the address."""
    for name in ("pyproject.toml", "README.md", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    (tmp_path / "notebooks").mkdir()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))[:2]:
        shutil.copy(path, tmp_path / "notebooks")
    return tmp_path


def publish(checkout, *arguments):
    command = [sys.executable, checkout / "tools" / "publish.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_new_address_stands_everywhere(checkout):
    assert publish(checkout, "--check").returncode == 0
    done = publish(checkout, "--repo", "someone/their-course", "--ref", "v1.0")
    assert done.returncode == 0, done.stderr
    for path in [*checkout.glob("*.*"), *checkout.glob("notebooks/*.ipynb")]:
        text = path.read_text(encoding="utf-8")
        assert "YOUR_NAME" not in text, path.name
        if path.suffix == ".ipynb":
            assert f"github/someone/their-course/blob/v1.0/notebooks/{path.name}" in text
            assert "https://github.com/someone/their-course/archive/v1.0.tar.gz" in text
    assert publish(checkout, "--check").returncode == 0
    assert publish(checkout).stdout == "Everything names the same address.\n"


@pytest.mark.parametrize("name", ["README.md", "notebooks"])
def test_drift_is_noticed(checkout, name):
    path = checkout / name if name.endswith(".md") else next(checkout.glob("notebooks/*.ipynb"))
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"blob/[\w.]+/notebooks", "blob/elsewhere/notebooks", text, count=1), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text
    done = publish(checkout, "--check")
    assert done.returncode == 1
    assert path.name in done.stdout


@pytest.mark.parametrize("address", ["no-slash", "a/b/c", "https://github.com/a/b", "_x/y"])
def test_what_is_no_address_is_refused(checkout, address):
    done = publish(checkout, "--repo", address)
    assert done.returncode == 2
    assert "owner/name" in done.stderr
