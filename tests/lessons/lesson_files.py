"""The lessons, as the tests read them."""

import json
import re
from pathlib import Path

from course_utils import lessons

ROOT = Path(__file__).parents[2]
ENTRIES = {ROOT / "notebooks" / each.file: each for each in lessons.LESSONS if each.written}
LESSONS = list(ENTRIES)
# A number that we measured, and behind it, unseen by the reader, where it stands in the records: "66.1%<!-- positions;
# rotary; test.accuracy -->". See ``course_utils.experiments.results.finding``.
FINDING = re.compile(r"([\d,]*\d(?:\.\d+)?)( ?%| (?:percentage )?points)?\**\s?<!--([^>]*;[^>]*)-->")
PYTHON_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


class Lesson:
    """One notebook: its cells, and text and code apart."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entry = ENTRIES[path]  # of the table
        self.notebook = json.loads(path.read_text(encoding="utf-8"))
        self.cells = self.notebook["cells"]
        for cell in self.cells:
            cell["source"] = "".join(cell["source"])
        self.code = [cell for cell in self.cells if cell["cell_type"] == "code"]
        self.markdown = [cell for cell in self.cells if cell["cell_type"] == "markdown"]
        self.text = "\n".join(cell["source"] for cell in self.markdown)
        self.imports = next(cell for cell in self.code if cell["id"] != "bootstrap")

    def exercises(self):
        """Yield (name, stub, check, solution) of every exercise: three sources of code."""
        for stub, check, answer in zip(self.cells, self.cells[1:], self.cells[2:], strict=False):
            if stub["cell_type"] == "code" and "raise NotImplementedError" in stub["source"]:
                name = re.search(r"^def (\w+)", stub["source"], re.MULTILINE).group(1)
                solution = answer["source"].partition("<summary>Solution</summary>")[2]
                yield name, stub["source"], check["source"], "\n".join(PYTHON_BLOCK.findall(solution))


def where(lesson: Lesson, cell: dict) -> str:
    """Name a cell, for a message."""
    return f"{lesson.path.name}, cell {cell['id']}:\n{cell['source'][:400]}"
