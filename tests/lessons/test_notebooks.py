"""Every lesson is kept in one form: run from top to bottom, with outputs, and without traces of a machine."""

import itertools
import re
import subprocess
import sys

from lesson_files import LESSONS, ROOT, where

from course_utils.lessons import LESSONS as TABLE

MARKDOWN_LINK = re.compile(r"\]\(([^)\s]+)\)")
OF_ONE_MACHINE = re.compile(r"/(?:home|root|Users|tmp)/|site-packages|application/vnd\.jupyter\.widget-view")
LARGEST = 1_000_000  # bytes


def outputs_of(lesson, kind=""):
    return [(cell, output) for cell in lesson.code for output in cell["outputs"] if kind in output["output_type"]]


# Outputs


def test_it_was_run_once_from_top_to_bottom_without_an_error(lesson):
    for count, cell in enumerate(lesson.code, start=1):
        assert cell["execution_count"] == count, where(lesson, cell)
    for cell, output in outputs_of(lesson):
        assert output["output_type"] != "error", where(lesson, cell)
        assert output.get("name") != "stderr", where(lesson, cell)


def test_cells_that_nbval_compares_have_an_output(lesson):
    compared = [cell for cell in lesson.code if "nbval-check-output" in cell["metadata"].get("tags", [])]
    assert len(compared) >= 5
    for cell in compared:
        assert cell["outputs"], where(lesson, cell)


def test_it_keeps_no_widget_state_and_no_paths_of_a_machine(lesson):
    assert set(lesson.notebook["metadata"]) <= {"kernelspec", "language_info", "accelerator"}
    for cell in lesson.cells:
        found = OF_ONE_MACHINE.search(str(cell))
        assert not found, f"{found[0]} in {where(lesson, cell)}"
    assert lesson.path.stat().st_size < LARGEST


def test_its_pictures_are_png_and_have_a_description(lesson):
    pictures = [
        (cell, output["data"])
        for cell, output in outputs_of(lesson)
        if any(kind.startswith("image/") for kind in output.get("data", {}))
    ]
    assert pictures
    for cell, data in pictures:
        assert "image/png" in data, where(lesson, cell)
        description = "".join(data["text/plain"])
        assert len(description) > 30, where(lesson, cell)
        assert not description.startswith("<"), where(lesson, cell)


def test_a_figure_is_not_compared(lesson):
    """Its description holds numbers that differ from machine to machine in the last digit."""
    for cell, output in outputs_of(lesson):
        if "image/png" in output.get("data", {}):
            assert "nbval-check-output" not in cell["metadata"].get("tags", []), where(lesson, cell)


# Structure


def test_its_cells_are_short_enough_to_read_and_its_text_long_enough_to_teach(lesson):
    ours = re.sub(r"<!--.*?-->|^\[!\[Open in Colab\].*$", "", lesson.text, flags=re.MULTILINE)
    words = len(re.sub(r"<details>.*?</details>", "", ours, flags=re.DOTALL).split())  # folded text is for who wants it
    assert 1000 <= words <= 3200, words
    assert len(lesson.cells) <= 85
    for cell in lesson.code:
        assert len(cell["source"].splitlines()) <= 30, where(lesson, cell)


def test_it_has_the_parts_of_a_lesson(lesson):
    assert lesson.cells[0]["source"].startswith(f"# {lesson.entry.heading}\n"), where(lesson, lesson.cells[0])
    for part in ("**You will**", "**You need**", "**Time:**"):
        assert part in lesson.cells[0]["source"], part
    for part in (
        "**Predict first.**",
        "<summary>Answer</summary>",
        "Break it",
        "**What to see:**",
        "## Recap",
        "| word | meaning |",
    ):
        assert part in lesson.text, part
    recap = lesson.text.partition("## Recap")[2]
    assert len(re.findall(r"^- ", recap, re.MULTILINE)) >= 5
    assert "progress()" in [cell["source"] for cell in lesson.code]
    assert len(lesson.imports["source"].splitlines()) <= 10


def test_it_leads_to_the_next_lesson(lesson):
    for following in TABLE[lesson.entry.number + 1 : lesson.entry.number + 2]:
        said = lesson.cells[-1]["source"].partition("**Next:** ")[2]
        assert said.startswith(f"[{following.heading}]({following.file})" if following.written else following.heading)


def test_it_leads_back_and_to_the_map(lesson):
    place = LESSONS.index(lesson.path)
    doors = lesson.cells[0]["source"].splitlines()[2]
    for path in {*LESSONS[max(place - 1, 0) : place + 2], LESSONS[0]} - {lesson.path}:
        assert f"]({path.name})" in doors


def test_it_states_the_minutes_of_the_table(lesson):
    assert f"**Time:** {lesson.entry.minutes} minutes" in lesson.cells[0]["source"]


def test_its_headings_go_down_one_level_at_a_time(lesson):
    text = re.sub(r"```.*?```", "", lesson.text, flags=re.DOTALL)  # a comment in code is no heading
    levels = [len(mark) for mark in re.findall(r"^(#+) ", text, re.MULTILINE)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_folded_parts_are_closed_and_their_text_is_rendered(lesson):
    for cell in lesson.markdown:
        source = cell["source"]
        assert source.count("<details>") == source.count("</details>") == source.count("<summary>"), where(lesson, cell)
        for after in re.findall(r"</summary>([^\n]*\n[^\n]*)", source):
            assert not after.strip(), f"a blank line must follow the summary in {where(lesson, cell)}"


def test_its_links_lead_somewhere(lesson):
    for cell in lesson.markdown:
        for link in MARKDOWN_LINK.findall(cell["source"]):
            if not link.startswith(("http://", "https://", "#")):
                assert (lesson.path.parent / link.partition("#")[0]).exists(), f"{link} in {where(lesson, cell)}"


def test_the_readme_names_every_lesson_and_its_links_lead_somewhere():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in LESSONS:
        assert f"](notebooks/{path.name})" in readme
    for link in MARKDOWN_LINK.findall(readme):
        if not link.startswith("http"):
            assert (ROOT / link.partition("#")[0]).exists(), link


def test_texts_are_in_step_with_the_table_and_name_no_lesson_by_a_number_alone():
    done = subprocess.run([sys.executable, ROOT / "tools" / "publish.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
