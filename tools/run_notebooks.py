"""Run lessons from top to bottom and write their outputs into them, in one canonical form.

    python tools/run_notebooks.py [NOTEBOOK ...]      # all lessons without arguments

Without the canonical form every save would change lines that mean nothing: key order, ids, versions, widget state.
"""

from __future__ import annotations

import base64
import io
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).parent.parent
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
CELL_KEYS = {"tags"}


def canonical(notebook: NotebookNode) -> NotebookNode:
    """Keep what belongs to the lesson, drop what belongs to the machine that ran it."""
    accelerator = notebook.metadata.get("accelerator")
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
        **({"accelerator": accelerator} if accelerator else {}),
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        cell.id = cell.id if len(cell.id) < 20 else f"cell-{index:02d}"
        cell.metadata = NotebookNode({key: value for key, value in cell.metadata.items() if key in CELL_KEYS})
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_live(output)]
            for output in cell.outputs:
                output.get("metadata", {}).clear()
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = _in_256_colours(output.data["image/png"])
    return notebook


def _in_256_colours(png: str) -> str:
    """Make a picture a third of its size. Who runs the lesson sees it in full."""
    picture = Image.open(io.BytesIO(base64.b64decode(png)))
    if picture.mode == "P":
        return png
    smaller = io.BytesIO()
    picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE).save(
        smaller, "PNG", optimize=True
    )
    return base64.b64encode(smaller.getvalue()).decode()


def _is_live(output: NotebookNode) -> bool:
    """Whether an output says nothing without a kernel: a widget whose only other form is a line of text."""
    data = output.get("data", {})
    return WIDGET_VIEW in data and not any(kind.startswith(("image/", "text/html")) for kind in data)


def save(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook in its canonical form."""
    path.write_text(nbformat.writes(canonical(notebook)) + "\n", encoding="utf-8")


def run(path: Path) -> float:
    """Execute one notebook in its folder and save it. Returns the seconds it took."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", store_widget_state=False, record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()  # fmt: skip
    seconds = time.perf_counter() - start
    save(notebook, path)
    return seconds


def main() -> None:
    """Run the notebooks named on the command line, or all."""
    os.environ.setdefault("COURSE_WIDGETS", "static")
    paths = [Path(name).resolve() for name in sys.argv[1:]] or sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in paths:
        print(f"{path.name}: {run(path):.0f} s")


if __name__ == "__main__":
    main()
