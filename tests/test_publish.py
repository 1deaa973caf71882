"""``make publish`` writes the address and the table of lessons everywhere, and its check notices drift."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course_utils.lessons import LESSONS

ROOT = Path(__file__).parent.parent
TABLE = "course_utils/assets/lessons.toml"


@pytest.fixture
def checkout(tmp_path):
    """A copy of the files that hold the address, the table, and texts that name lessons."""
    for name in ("pyproject.toml", "README.md", "CITATION.cff", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    (tmp_path / "course_utils" / "assets").mkdir(parents=True)
    shutil.copy(ROOT / TABLE, tmp_path / TABLE)
    shutil.copytree(ROOT / "course_utils" / "model", tmp_path / "course_utils" / "model")
    (tmp_path / "notebooks").mkdir()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = []  # the pictures take time and say nothing here
        (tmp_path / "notebooks" / path.name).write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
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
    assert publish(checkout).stdout == "Everything is in step with address and table.\n"


@pytest.mark.parametrize("name", ["README.md", "notebooks"])
def test_drift_is_noticed(checkout, name):
    path = checkout / name if name.endswith(".md") else next(checkout.glob("notebooks/*.ipynb"))
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"blob/[\w.]+/notebooks", "blob/elsewhere/notebooks", text, count=1), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text
    done = publish(checkout, "--check")
    assert done.returncode == 1
    assert path.name in done.stdout


def test_the_readme_answers_what_people_ask(checkout):
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    asked = [question for lesson in LESSONS if lesson.written for question in lesson.questions]
    assert len(asked) >= 20
    for question in asked:
        assert readme.count(f"| {question.asked} | {question.answer} | [") == 1
    change(checkout / TABLE, "7 · Equal to PyTorch's own", "7 · Equal to nobody's own")
    done = publish(checkout)
    assert done.returncode == 1
    assert '03_attention.ipynb: a question needs the heading "7 · Equal to nobody\'s own"' in done.stdout


def test_a_planned_lesson_answers_nothing_yet(checkout):
    question = 'asked = "Who?"\nanswer = "Nobody."\nsection = "1 · One"\n'
    with (checkout / TABLE).open("a", encoding="utf-8") as file:
        file.write(f'[later]\ntitle = "Later"\n[[later.questions]]\n{question}')
    assert publish(checkout).returncode == 0
    assert "Nobody." not in (checkout / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("address", ["no-slash", "a/b/c", "https://github.com/a/b", "_x/y"])
def test_what_is_no_address_is_refused(checkout, address):
    done = publish(checkout, "--repo", address)
    assert done.returncode == 2
    assert "owner/name" in done.stderr


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_new_order_is_written_into_files_titles_links_and_texts(checkout):
    """Embeddings before patches: 01 and 02 change places."""
    table = (checkout / TABLE).read_text(encoding="utf-8")
    first, rest = table.split("[patches]")
    patches, rest = rest.split("[embeddings]")
    embeddings, rest = rest.split("[attention]")
    (checkout / TABLE).write_text(
        f"{first}[embeddings]{embeddings}[patches]{patches}[attention]{rest}", encoding="utf-8"
    )
    assert publish(checkout, "--check").returncode == 1

    done = publish(checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert publish(checkout, "--check").returncode == 0
    notebooks = checkout / "notebooks"
    assert {"00_start_here.ipynb", "01_embeddings.ipynb", "02_patches.ipynb"} < {
        path.name for path in notebooks.iterdir()
    }
    head, *_, foot = (cell.source for cell in nbformat.read(notebooks / "01_embeddings.ipynb", as_version=4).cells)
    assert head.startswith("# 01 · Embeddings\n")
    assert "previous: [00 · Start here](00_start_here.ipynb) · next: [02 · Patches](02_patches.ipynb)" in head
    assert "blob/main/notebooks/01_embeddings.ipynb)" in head
    assert "**You need** Python, a little PyTorch, and lesson 02<!-- lesson: patches -->." in head
    assert "**Next:** [02 · Patches](02_patches.ipynb), in which" in foot
    assert "| 01 | [Embeddings](notebooks/01_embeddings.ipynb) |" in (checkout / "README.md").read_text(
        encoding="utf-8"
    )
    said = (checkout / "course_utils" / "model" / "embeddings.py").read_text(encoding="utf-8")
    assert said.startswith('"""Lesson 01 (embeddings): ')


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("README.md", "[Patches]", "[Patching]", "out of step: README.md"),
        ("README.md", "06<!-- lesson: training -->", "07<!-- lesson: training -->", "out of step: README.md"),
        ("README.md", "06<!-- lesson: training -->", "06", "README.md: no key behind 'lesson 06'"),
        ("course_utils/model/vit.py", "05 (vit)", "06 (vit)", "out of step: vit.py"),
        ("course_utils/model/vit.py", "Lesson 05 (vit)", "Lesson 5", "model/vit.py: no key behind 'Lesson 5'"),
        ("notebooks/00_start_here.ipynb", "12<!-- lesson: distillation -->", "10", "ipynb, cell lesson00-29: no key"),
        ("notebooks/00_start_here.ipynb", "**Next:** [01", "**Next:** [02", "out of step: 00_start_here.ipynb"),
        ("notebooks/01_patches.ipynb", "**Time:** 85", "**Time:** 86", "out of step: 01_patches.ipynb"),
        ("notebooks/01_patches.ipynb", "previous: [00", "previous: [03", "out of step: 01_patches.ipynb"),
        ("notebooks/01_patches.ipynb", "# 01 · Patches", "# 01 · Tiles", "out of step: 01_patches.ipynb"),
        ("Makefile", "00_start_here.ipynb", "03_start_here.ipynb", "out of step: Makefile"),
        (TABLE, "minutes = 85", "minutes = 86", "01_patches.ipynb"),
        (TABLE, 'title = "Recap"', 'title = "Recap"\npart = "x"\n[more]\ntitle = "More"', "out of step: README.md"),
        (TABLE, 'notebook = "patches"', 'notebook = "tiles"', "01_tiles.ipynb: the table names it"),
        (TABLE, 'notebook = "patches"', 'notebook = "tiles"', "01_patches.ipynb: a notebook that the table does"),
    ],
)  # fmt: skip
def test_a_text_that_parts_from_the_table_is_found(checkout, name, old, new, said):
    change(checkout / name, old, new)
    done = publish(checkout, "--check")
    assert done.returncode == 1
    assert said in done.stdout, done.stdout + done.stderr


def test_what_only_a_person_can_mend_is_named_and_fails(checkout):
    change(checkout / "README.md", "06<!-- lesson: training -->", "06")
    for _ in range(2):
        done = publish(checkout)
        assert done.returncode == 1
        assert "README.md: no key behind 'lesson 06'" in done.stdout
