"""Write the course's address, which stands once in pyproject.toml, everywhere it is needed.

    python tools/publish.py                       # after a lesson was added or renamed
    python tools/publish.py --repo owner/name     # the course gets a new home (make publish REPO=owner/name)
    python tools/publish.py --check               # change nothing; fail if something is out of step

Every lesson gets its badge and its bootstrap cell; the README and CITATION.cff get the new address.
"""

from __future__ import annotations

import argparse
import re
import sys

import nbformat
from nbformat import NotebookNode
from run_notebooks import ROOT, save

REPOSITORY = re.compile(r'^Repository = "https://github\.com/([^"]+)"$', re.MULTILINE)
REFERENCE = re.compile(r'^reference = "([^"]+)"$', re.MULTILINE)
SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
COLAB = "https://colab.research.google.com/github/"
COLAB_LINK = re.compile(re.escape(COLAB) + r"[^/\s]+/[^/\s]+/blob/\S+?(?=/notebooks/)")
NOT_IN_COLAB = (
    "safetensors",
    "anywidget",
    "psygnal",
)  # small packages that Colab may lack; --no-deps leaves its torch and numpy alone


def badge(slug: str, reference: str, name: str) -> str:
    """Return the line under a lesson's title. Its picture is our own file, so that it shows without a network."""
    return f"[![Open in Colab](../images/open-in-colab.svg)]({COLAB}{slug}/blob/{reference}/notebooks/{name})"


def bootstrap(slug: str, reference: str) -> str:
    """Return the first cell of a lesson, which installs the course where it is missing."""
    archive = f"https://github.com/{slug}/archive/{reference}.tar.gz"
    return (
        "# In Colab, this cell fetches the course. Where the course is installed already, it does nothing.\n"
        "import importlib.util\n"
        "\n"
        'if importlib.util.find_spec("course_utils") is None:\n'
        f"    %pip install -q --no-deps {archive} {' '.join(NOT_IN_COLAB)}"
    )


def put_in(notebook: NotebookNode, slug: str, reference: str, name: str) -> None:
    """Put badge and bootstrap cell into a lesson, in place of those that are there."""
    title, *rest = notebook.cells[0].source.splitlines()
    rest = [line for line in rest if not line.startswith("[![Open in Colab]")]
    while rest and not rest[0]:
        rest.pop(0)
    notebook.cells[0].source = "\n".join([title, "", badge(slug, reference, name), "", *rest])
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


def main() -> int:
    """Write the address, or check it. Returns the exit code."""
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
    settings = REPOSITORY.sub(f'Repository = "https://github.com/{slug}"', settings)
    texts = {ROOT / "pyproject.toml": REFERENCE.sub(f'reference = "{reference}"', settings)}
    for path in (ROOT / "README.md", ROOT / "CITATION.cff"):
        text = COLAB_LINK.sub(f"{COLAB}{slug}/blob/{reference}", path.read_text(encoding="utf-8"))
        texts[path] = text.replace(f"https://github.com/{old_slug}", f"https://github.com/{slug}")

    changed = []
    for path, text in texts.items():
        if path.read_text(encoding="utf-8") != text:
            changed.append(path.name)
            if not options.check:
                path.write_text(text, encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        before = nbformat.writes(notebook)
        put_in(notebook, slug, reference, path.name)
        if nbformat.writes(notebook) != before:
            changed.append(path.name)
            if not options.check:
                save(notebook, path)
    verb = "out of step" if options.check else "written"
    print(f"{verb}: {', '.join(changed)}" if changed else "Everything names the same address.")
    return 1 if changed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
