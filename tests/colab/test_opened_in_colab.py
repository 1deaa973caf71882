"""Each lesson, opened as in Colab: in an empty folder, the course not installed, Colab's old IPython and ipywidgets.

What can be had of Colab is had: its versions of what draws notebooks, a stand-in for ``google.colab``, torch and NumPy
installed beforehand (those of this machine). What cannot: its web page, its GPU, its network.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from publish import FETCH, bootstrap

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COLABS_KERNEL = ("ipython==7.34.0", "ipykernel==6.17.1", "jupyter-client==7.4.9", "ipython-genutils", "setuptools<81")
COLABS_WIDGETS = ("--no-deps", "ipywidgets==7.7.1")  # its dependencies would bring a whole notebook server
NOT_PREINSTALLED = (
    *("__editable__", "vit_course", "IPython", "ipython", "ipykernel", "ipywidgets", "widgetsnbextension", "jupyter"),
    *("nb", "safetensors", "anywidget", "psygnal", "setuptools", "_distutils_hack", "distutils-precedence", "pip"),
)
BROUGHT = ("vit-course", "safetensors", "anywidget", "psygnal")
SECONDS_FOR_A_CELL = 600


class Colab:
    """A Python that looks like Colab's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder / "env", with_pip=True)
        self.python = folder / "env" / "bin" / "python"
        self.pip("install", "-q", *COLABS_KERNEL)
        self.pip("install", "-q", *COLABS_WIDGETS)
        preinstalled = folder / "preinstalled"
        (preinstalled / "google" / "colab").mkdir(parents=True)
        (preinstalled / "google" / "colab" / "__init__.py").write_text("from google.colab import output\n")
        (preinstalled / "google" / "colab" / "output.py").write_text("def enable_custom_widget_manager(): pass\n")
        here = Path(sysconfig.get_path("purelib"))
        for entry in [*here.iterdir(), *here.glob("google/*")]:  # protobuf stands beside Colab's own package
            place = preinstalled / entry.relative_to(here)
            if not entry.name.startswith(NOT_PREINSTALLED) and not place.exists():
                place.symlink_to(entry)
        site_packages = next((folder / "env" / "lib").glob("python*")) / "site-packages"
        (site_packages / "preinstalled.pth").write_text(f"{preinstalled}\n")
        self.archive = folder / "course.tar.gz"
        self._pack()
        self._kernel()

    def pip(self, *arguments: str) -> str:
        command = [self.python, "-m", "pip", "--disable-pip-version-check", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def versions(self) -> dict[str, str]:
        """Everything that is installed, with its version."""
        return {entry["name"]: entry["version"] for entry in json.loads(self.pip("list", "--format=json"))}

    def _pack(self) -> None:
        """Make the archive that a code host would serve, from the files of this checkout."""
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
        with tarfile.open(self.archive, "w:gz", compresslevel=1) as archive:
            for name in filter(None, listed):
                if (ROOT / name).exists():
                    archive.add(ROOT / name, f"vit-course-main/{name}")

    def _kernel(self) -> None:
        spec = {
            "argv": [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Colab",
            "language": "python",
            "env": {
                "CIFAR10_OFFLINE": "1",
                "MPLBACKEND": "module://matplotlib_inline.backend_inline",
                "PYTHONPATH": "",
                "VIRTUAL_ENV": str(self.folder / "env"),
                "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            },
        }
        (self.folder / "kernels" / "colab").mkdir(parents=True)
        (self.folder / "kernels" / "colab" / "kernel.json").write_text(json.dumps(spec))

    def run(self, notebook: nbformat.NotebookNode, folder: Path) -> None:
        """Run all cells in a folder; an error in a cell is raised."""
        manager = AsyncKernelManager(
            kernel_name="colab", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(self.folder / "kernels")])
        )
        resources = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, km=manager, timeout=SECONDS_FOR_A_CELL, resources=resources).execute()


@pytest.fixture(scope="session")
def colab(tmp_path_factory):
    return Colab(tmp_path_factory.mktemp("colab"))


def bootstrap_cell(notebook):
    return next(cell for cell in notebook.cells if cell.id == "bootstrap")


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_lesson_installs_the_course_and_runs_whole(colab, path, tmp_path):
    colab.pip("uninstall", "-q", "-y", *BROUGHT)
    before = colab.versions()
    notebook = nbformat.read(path, as_version=4)
    bootstrap_cell(notebook).source = FETCH.replace("ARCHIVE", colab.archive.as_uri())  # as with an address
    if "training" in path.name:  # nbval runs its training in full length
        training = next(cell for cell in notebook.cells if "MINUTES = 2.0" in cell.source)
        training.source = training.source.replace("MINUTES = 2.0", "MINUTES = 0.5")

    colab.run(notebook, tmp_path)

    after = colab.versions()
    assert set(after) - set(before) == set(BROUGHT)
    assert all(after[name] == version for name, version in before.items())  # torch, numpy, ipywidgets: untouched
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", f"{cell.source}\n{output}"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (bootstrap("YOUR_NAME/vit-course", "main"), "This copy of the course has no address"),
        (
            FETCH.replace("ARCHIVE", "file:///nowhere.tar.gz"),
            "The course could not be fetched from file:///nowhere.tar.gz",
        ),
    ],
    ids=["no address", "no such archive"],
)
def test_where_the_course_cannot_be_fetched_one_sentence_says_so_and_the_run_stops(colab, cell, said, tmp_path):
    colab.pip("uninstall", "-q", "-y", *BROUGHT)
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(each) for each in (cell, "import course_utils")]
    )
    with pytest.raises(CellExecutionError, match="UsageError"):
        colab.run(notebook, tmp_path)
    fetch, following = notebook.cells
    assert {output.output_type for output in fetch.outputs} == {"stream"}  # no traceback
    assert f"UsageError: {said}" in fetch.outputs[-1].text
    assert following.execution_count is None


def test_the_explorers_work_with_its_old_ipywidgets(colab):
    colab.pip("install", "-q", "--no-deps", *BROUGHT[1:])
    tests = [str(ROOT / "tests" / "explore"), "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    done = subprocess.run([colab.python, "-m", "pytest", *tests], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
    assert colab.versions()["ipywidgets"] == "7.7.1"


def test_the_simulation_is_like_colab(colab, tmp_path):
    """Otherwise the test above would show nothing."""
    versions = colab.versions()
    assert versions["ipywidgets"] == "7.7.1"
    assert versions["ipython"] == "7.34.0"
    assert "torch" in versions
    assert "jupyterlab" not in versions
    code = "import google.colab, importlib.util as u, torch; print(u.find_spec('course_utils'))"
    colab.pip("uninstall", "-q", "-y", "vit-course")
    done = subprocess.run([colab.python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
    assert sys.executable != str(colab.python)
