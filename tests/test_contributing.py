"""What CONTRIBUTING.md and README.md say of files, commands, rooms and imports is so."""

import re
from pathlib import Path

import pytest
from test_imports import ROOMS

from course_utils.cli import _parser

ROOT = Path(__file__).parent.parent
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("CONTRIBUTING.md", "README.md")}
YOURS = re.compile(r"(?<![A-Za-z])[A-Z]{2,}(?![a-z])")  # a name in capitals stands for one of yours
MADE = ("runs/", "trial/", ".venv/")  # not in the repository
FILE = re.compile(r"(?<![\w./-])(?:[\w.*-]+/)+[\w.*-]*|(?<![\w./*-])[\w-]+\.(?:cff|md|py|toml|txt)\b")


def files_named(text):
    """Yield each file or folder in code, in backticks or in a block of its own, with * for names in capitals."""
    for block, span in re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", text, re.DOTALL):
        for path in FILE.findall(block or span):
            if not path.startswith(MADE) and path != "owner/name":
                yield path if (ROOT / path).exists() else YOURS.sub("*", path)


def test_contributing_names_no_file_that_does_not_exist():
    named = set(files_named(TEXTS["CONTRIBUTING.md"]))
    assert len(named) > 40
    assert not [path for path in sorted(named) if not any(ROOT.glob(path))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`tests/zoo`, tests/x, `tests/ROOM/test_NAME.py`", ["tests/zoo", "tests/*/test_*.py"]),
        ("`python tools/gone.py runs/NAME`", ["tools/gone.py"]),
        ("```bash\nls notebooks/NUMBER_NOTEBOOK.ipynb README.md\n```", ["notebooks/*_*.ipynb", "README.md"]),
    ],
)
def test_the_test_finds_files(text, found):
    assert list(files_named(text)) == found


@pytest.mark.parametrize("name", TEXTS)
def test_the_commands_exist(name):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    code = "\n".join(
        block or span for block, span in re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", TEXTS[name], re.DOTALL)
    )
    made = set(re.findall(r"\bmake (\w+)", code))
    assert made
    assert made <= targets
    calls = re.findall(r"-m course_utils ([^\n#]+)", code)
    assert len(calls) >= 5
    for call in calls:
        _parser().parse_args(call.split())  # exits, if it makes no sense


def test_imports_go_in_the_direction_that_contributing_says():  # test_imports holds it against the modules
    line = re.search(r"```text\n(support .*)\n```", TEXTS["CONTRIBUTING.md"])[1]
    assert [*line.split(), "__main__"] == list(ROOMS)


def test_the_tree_in_the_readme_names_every_room():
    tree = re.search(r"```text\ncourse_utils/\n(.*?)```", TEXTS["README.md"], re.DOTALL)[1]
    assert set(re.findall(r"^  (\w+)(?:/|\.py) ", tree, re.MULTILINE)) == {*ROOMS, "assets"} - {"__main__"}
