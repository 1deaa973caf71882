"""Explorers in a notebook of their own, opened in JupyterLab: what page and kernel say of them."""

from __future__ import annotations

import json
from typing import Any

import nbformat
from lab_server import WIDGET, JupyterLab, OpenLesson
from playwright.sync_api import Browser, Locator

from course_utils import explore

IMAGES = """\
from course_utils import explore
from course_utils.data import load_cifar10
from course_utils.zoo.weights import load_pretrained

test_set = load_cifar10("test", sample="always")
images, names = test_set.images[:6], [test_set.classes[label] for label in test_set.labels[:6]]
model = load_pretrained("cifar_micro")"""
EXPLORERS = [getattr(explore, name) for name in explore.__all__ if name != "Explorer"]
# After the cell above: one for each explorer, which is a variable of its module's name. test_NAME_explorer.py tests it.
CELLS = {
    name: f"{name} = explore.{explorer.__name__}.example()\n{name}.show()"
    for name, explorer in ((each.__module__.rpartition(".")[2], each) for each in EXPLORERS)
}


class ExplorerNotebook(OpenLesson):
    """A notebook with explorers, all cells run. ``cells``: name of the variable -> code that makes and shows it."""

    def __init__(self, browser: Browser, lab: JupyterLab, cells: dict[str, str], seconds: float = 240) -> None:
        self.names = list(cells)
        code = [nbformat.v4.new_code_cell(source) for source in (IMAGES, *cells.values())]
        path = lab.root / "notebooks" / "explorers.ipynb"
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}  # or JupyterLab asks which one
        nbformat.write(nbformat.v4.new_notebook(cells=code, metadata=kernel), path)
        super().__init__(browser, lab, path.name)
        self.state = self.run_all(seconds)

    def explorer(self, name: str) -> OpenExplorer:
        """Return one explorer, scrolled into view and drawn."""
        cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(1 + self.names.index(name))
        root = cell.locator(".explorer")
        root.wait_for(timeout=60_000)
        root.scroll_into_view_if_needed()
        return OpenExplorer(self, name, root)


class OpenExplorer:
    """One explorer in a page. ``root`` is its outermost element: a playwright locator."""

    def __init__(self, notebook: ExplorerNotebook, name: str, root: Locator) -> None:
        self.notebook, self.page, self.name, self.root = notebook, notebook.page, name, root

    def kernel(self, expression: str) -> Any:
        """Evaluate an expression in the kernel, with ``self`` for the explorer; it must have a JSON form."""
        code = f"__import__('json').dumps((lambda self: {expression})({self.name}))"
        reply = self.page.evaluate(
            f"""async (code) => {{
                const kernel = {WIDGET}.sessionContext.session.kernel;
                const future = kernel.requestExecute({{code: '', silent: true, user_expressions: {{asked: code}}}});
                return (await future.done).content.user_expressions.asked;
            }}""",
            code,
        )
        assert reply["status"] == "ok", reply
        return json.loads(eval(reply["data"]["text/plain"]))  # the text of a Python string

    def run(self, statement: str) -> None:
        """Run a statement in the kernel, such as ``patchify.image = 2``, and wait until it is done."""
        self.page.evaluate(
            f"""async (code) => {{
                const future = {WIDGET}.sessionContext.session.kernel.requestExecute({{code, silent: true}});
                await future.done;
            }}""",
            statement,
        )

    def paints(self) -> int:
        """How often the explorer has been drawn."""
        return int(self.root.get_attribute("data-paints") or 0)

    def until_painted(self, before: int, seconds: float = 20) -> None:
        """Wait until the explorer has been drawn more often than ``before``."""
        self.page.wait_for_function(
            "([element, before]) => Number(element.dataset.paints) > before",
            arg=[self.root.element_handle(), before],
            timeout=1000 * seconds,
        )

    def status(self) -> str:
        """The line that a screen reader is told."""
        return self.root.locator('[role="status"]').inner_text()

    def pixels(self, selector: str, *, opacity: bool = False) -> list[list[int]]:
        """The colours of a canvas, [red, green, blue] and perhaps opacity, for each pixel in raster order."""
        flat = self.root.locator(selector).evaluate(
            "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
        )
        return [flat[at : at + 3 + opacity] for at in range(0, len(flat), 4)]
