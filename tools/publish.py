"""Write what stands once, the address in pyproject.toml and the table of lessons, everywhere it is needed.

    python tools/publish.py                       # after a lesson was added, moved or renamed
    python tools/publish.py --repo owner/name     # the course gets a new home (make publish REPO=owner/name)
    python tools/publish.py --check               # change nothing; fail if something is out of step

Every lesson gets its title, badge, links, minutes and bootstrap cell, and its file the right number. The README gets
its table of lessons and its questions, README and CITATION.cff the address, and every text the numbers that belong to
the keys in it (``lesson_numbers``). What only a person can mend is named, and then the script fails.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

import nbformat
from lesson_numbers import bare_numbers, renumbered
from nbformat import NotebookNode
from run_notebooks import ROOT, save

from course_utils.lessons import Lesson, read_lessons, span

REPOSITORY = re.compile(r'^Repository = "https://github\.com/([^"]+)"$', re.MULTILINE)
REFERENCE = re.compile(r'^reference = "([^"]+)"$', re.MULTILINE)
SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
NO_OWNER = "YOUR_NAME/"  # what stands in pyproject.toml until the course has an address
COLAB = "https://colab.research.google.com/github"
TABLE = re.compile(
    r"(?<=<!-- the table of lessons, by tools/publish.py -->\n).*?(?=<!-- end of the table -->)", re.DOTALL
)
QUESTIONS = re.compile(
    r"(?<=<!-- questions and answers, by tools/publish.py -->\n).*?(?=<!-- end of the questions -->)", re.DOTALL
)
TIME = re.compile(r"(?<=\*\*Time:\*\* )\d+(?= minutes)")
NEXT = re.compile(r"(?<=^\*\*Next:\*\* )(?:\[[^\]]*\]\([^)]*\)|\d\d · .*? \(planned\))", re.MULTILINE)
TEXTS = {".cff", ".css", ".html", ".js", ".md", ".py", ".toml"}
EXAMPLES = {"test_lesson_numbers.py", "test_publish.py"}  # of what is wrong
FOLDERS = ("course_utils", "experiments", "notebooks", "site", "tests", "tools")


# What stands in a lesson


def link(lesson: Lesson) -> str:
    """Name a lesson: a link to its notebook, or the word that there is none yet."""
    return f"[{lesson.heading}]({lesson.file})" if lesson.written else f"{lesson.heading} (planned)"


def badge(lesson: Lesson, slug: str, reference: str) -> str:
    """Return the badge. Its picture is our own file, so that it shows without a network."""
    return f"[![Open in Colab](../images/open-in-colab.svg)]({colab_address(lesson, slug, reference)})"


def colab_address(lesson: Lesson, slug: str, reference: str) -> str:
    """Return where Colab opens a lesson."""
    return f"{COLAB}/{slug}/blob/{reference}/notebooks/{lesson.file}"


def ways(lesson: Lesson, lessons: Sequence[Lesson]) -> str:
    """Return the links from a lesson to the one before, the one behind, and the map, which the first one shows."""
    written = [each for each in lessons if each.written]
    before = [each for each in written if each.number < lesson.number]
    after = [each for each in written if each.number > lesson.number]
    found = [f"previous: {link(each)}" for each in before[-1:]] + [f"next: {link(each)}" for each in after[:1]]
    return " · ".join(found + [f"[course map]({each.file})" for each in before[:1]])


def bootstrap(slug: str, reference: str) -> str:
    """Return the first cell of a lesson, which fetches the course where it is missing, or says why it cannot.

    A ``UsageError`` ends the run, as any error does, but shows as one line.
    """
    archive = f"https://github.com/{slug}/archive/{reference}.tar.gz"
    return NO_ADDRESS if slug.startswith(NO_OWNER) else FETCH.replace("ARCHIVE", archive)


NO_ADDRESS = """\
# In Colab, this cell fetches the course. Where it is installed, it does nothing.
import importlib.util

if importlib.util.find_spec("course_utils") is None:
    from IPython.core.error import UsageError

    raise UsageError(
        "This copy of the course has no address from which it could be fetched: "
        "install it as README.md says, or, if the copy is yours, run  "
        "make publish REPO=owner/name  once."
    )"""

# --no-deps leaves Colab's torch and numpy alone; it may lack the three small packages.
FETCH = """\
# In Colab, this cell fetches the course. Where it is installed, it does nothing.
import importlib.util
import sys

if importlib.util.find_spec("course_utils") is None:
    course = "ARCHIVE"
    small = "safetensors anywidget psygnal"
    !"{sys.executable}" -m pip install -q --no-deps {course} {small}
    importlib.invalidate_caches()
    if importlib.util.find_spec("course_utils") is None:
        from IPython.core.error import UsageError

        raise UsageError(
            f"The course could not be fetched from {course}, and pip says above why: "
            "go online, see that this address is right, and run this cell again."
        )"""


def put_in(notebook: NotebookNode, lesson: Lesson, lessons: Sequence[Lesson], slug: str, reference: str) -> None:
    """Write into a notebook all that the table and the address say about it."""
    first, last = notebook.cells[0], notebook.cells[-1]
    text = [line for line in first.source.splitlines()[1:] if not line.startswith("[![Open in Colab]")]
    while text and not text[0]:
        text.pop(0)
    doors = " · ".join(filter(None, [badge(lesson, slug, reference), ways(lesson, lessons)]))
    first.source = TIME.sub(str(lesson.minutes), "\n".join([f"# {lesson.heading}", "", doors, "", *text]))
    following = lessons[lesson.number + 1 : lesson.number + 2]
    for each in following:
        last.source = NEXT.sub(link(each), last.source)
    for cell in notebook.cells:
        cell.source = renumbered(cell.source, lessons)
    if notebook.cells[1].id != "bootstrap":
        notebook.cells.insert(1, nbformat.v4.new_code_cell(id="bootstrap"))
        _number(notebook)
    notebook.cells[1].source = bootstrap(slug, reference)


def _number(notebook: NotebookNode) -> None:
    """Count the code cells anew: a cell without output was put among cells that have run."""
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count


# What stands in the other files


def table(lessons: Sequence[Lesson], slug: str, reference: str) -> str:
    """Return the README's table: a row for each lesson, and one for planned ones that follow each other."""
    lines = ["| no. | lesson | what it is about | minutes | |", "|---|---|---|---|---|"]
    for written, group in groupby(lessons, key=lambda lesson: lesson.written):
        neighbours = list(group)
        if not written:
            titles = "; ".join(lesson.title for lesson in neighbours)
            lines.append(f"| {span(neighbours, '–')} | {titles} | planned | | |")
        for lesson in neighbours if written else ():
            named = f"[{lesson.title}](notebooks/{lesson.file}) | {lesson.about} | {lesson.minutes}"
            picture = f"![Open lesson {lesson.number:02d} in Colab](images/open-in-colab.svg)"
            door = f"[{picture}]({colab_address(lesson, slug, reference)})"
            lines.append(f"| {lesson.number:02d} | {named} | {door} |")
    return "\n".join(lines) + "\n"


def questions(lessons: Sequence[Lesson]) -> str:
    """Return the README's questions with their answers: a row for each question of a written lesson.

    Pages made by nbconvert, as on nbviewer, open at the heading; a code host and JupyterLab open the lesson.
    """
    lines = ["| question | in short | where |", "|---|---|---|"]
    for lesson in (each for each in lessons if each.written):
        for each in lesson.questions:
            where = f"notebooks/{lesson.file}#{quote(each.section.replace(' ', '-'))}"
            lines.append(f"| {each.asked} | {each.answer} | [{lesson.number:02d}, *{each.section}*]({where}) |")
    return "\n".join(lines) + "\n"


def headings(notebook: NotebookNode) -> set[str]:
    """Return all headings of a lesson, without their marks."""
    texts = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return {heading for text in texts for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def texts() -> Iterator[Path]:
    """Find every file but the notebooks in which a lesson can be named."""
    yield ROOT / "Makefile"
    for folder in (ROOT.glob("*"), *((ROOT / name).rglob("*") for name in FOLDERS)):
        yield from sorted(path for path in folder if path.suffix in TEXTS and path.name not in EXAMPLES)


# The script


def main() -> int:
    """Write, or check. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", help="owner/name on GitHub")
    parser.add_argument("--ref", help="branch or tag that Colab opens")
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args()
    if options.repo and not SLUG.fullmatch(options.repo):
        print(f"error: {options.repo!r} is no GitHub repository: give it as owner/name.", file=sys.stderr)
        return 2

    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    old_slug, old_reference = REPOSITORY.findall(settings)[0], REFERENCE.findall(settings)[0]
    slug, reference = options.repo or old_slug, options.ref or old_reference
    lessons = read_lessons(ROOT / "course_utils" / "assets" / "lessons.toml")
    changed: list[str] = []
    faults: list[str] = []

    for path in texts():
        text = path.read_text(encoding="utf-8")
        new = renumbered(text, lessons)
        if path.name == "pyproject.toml":
            new = REFERENCE.sub(f'reference = "{reference}"', new)
        if path.name in ("pyproject.toml", "README.md", "CITATION.cff"):
            new = new.replace(f"https://github.com/{old_slug}", f"https://github.com/{slug}")
        if path == ROOT / "README.md":
            new = TABLE.sub(lambda _: table(lessons, slug, reference), new)
            new = QUESTIONS.sub(lambda _: questions(lessons), new)
        rest = QUESTIONS.sub("", TABLE.sub("", new))
        bare = bare_numbers(rest, lessons, markdown=path.suffix == ".md")
        faults += [f"{path.relative_to(ROOT)}: no key behind {each!r}" for each in bare]
        if new != text:
            changed.append(path.name)
            if not options.check:
                path.write_text(new, encoding="utf-8")

    notebooks = {path.name[3:-6]: path for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    for lesson in (each for each in lessons if each.written):
        path = notebooks.pop(lesson.notebook, None)
        if path is None:
            faults.append(f"{lesson.file}: the table names it, and there is no such notebook")
            continue
        notebook = nbformat.read(path, as_version=4)
        before = nbformat.writes(notebook)
        put_in(notebook, lesson, lessons, slug, reference)
        missing = [each.section for each in lesson.questions if each.section not in headings(notebook)]
        faults += [f"{path.name}: a question needs the heading {section!r}" for section in missing]
        for cell in notebook.cells:
            bare = bare_numbers(cell.source, lessons, markdown=cell.cell_type == "markdown")
            faults += [f"{path.name}, cell {cell.id}: no key behind {each!r}" for each in bare]
        if nbformat.writes(notebook) != before or path.name != lesson.file:
            changed.append(path.name)
            if not options.check:
                save(notebook, path)
                path.rename(path.with_name(lesson.file))
    faults += [f"{path.name}: a notebook that the table does not name" for path in notebooks.values()]

    verb = "out of step" if options.check else "written"
    print(f"{verb}: {', '.join(changed)}" if changed else "Everything is in step with address and table.")
    for fault in faults:
        print(fault)
    return 1 if faults or (changed and options.check) else 0


if __name__ == "__main__":
    sys.exit(main())
