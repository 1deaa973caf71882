"""What a lesson says that we found is what the records say, to the last digit that it states."""

import re

import pytest
from lesson_files import FINDING, where

from course_utils.experiments.results import finding
from course_utils.support.files import write_json

REFERENCE = re.compile(r"<!--[^>]*;[^>]*-->")


def mistakes_in(text, **where):
    """Say which findings of a text are not what the records say, or have no number before them."""
    found = FINDING.findall(text)
    mistakes = []
    if len(found) < len(REFERENCE.findall(text)):
        mistakes.append("A reference has no number before it.")
    for number, unit, reference in found:
        value = finding(reference, **where) * (100 if unit else 1)
        digits = len(number.partition(".")[2])
        if number.replace(",", "") != f"{value:.{digits}f}":
            mistakes.append(f"{number}{unit} is {value:.6g} in the records ({reference.strip()})")
    return mistakes


def test_the_findings_of_a_lesson_are_those_of_the_records(lesson):
    wrong = [f"{each}: {where(lesson, cell)}" for cell in lesson.markdown for each in mistakes_in(cell["source"])]
    assert not wrong, "\n\n".join(wrong)


@pytest.fixture
def folder(tmp_path):
    for variant, shares in {"rotary": (0.654, 0.668), "none": (0.5, 0.51)}.items():
        for seed, share in enumerate(shares):
            record = {"variant": variant, "place": 0, "seed": seed, "status": "finished"}
            write_json(tmp_path / "codes" / f"{variant}{seed}.json", record | {"share": share, "seconds": 1234.4})
    return tmp_path


ROTARY, BETTER = "<!-- codes; rotary; share -->", "<!-- codes; rotary minus none; share -->"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (f"It reaches 66.1%{ROTARY}, in 1,234<!-- codes; rotary; seconds --> seconds.", None),
        (f"**15.6 points**{BETTER} better (± 0.3 points<!-- codes; rotary minus none; share; spread -->).", None),
        (f"0.661{ROTARY}", None),
        ("no number, no reference <!-- a remark -->", None),
        (f"It reaches 66.2%{ROTARY}", "66.2% is 66.1 in the records"),
        (f"It reaches 66.10%{ROTARY}, 66.0%{ROTARY}", "66.0%"),
        ("15.6 points<!-- codes; none minus rotary; share --> better", "15.6 points is -15.6"),
        (f"It is better.{ROTARY}", "no number before"),
    ],
)
def test_a_sentence_that_parts_from_the_record_is_found(text, mistake, folder):
    mistakes = mistakes_in(text, folder=folder)
    assert len(mistakes) == (mistake is not None)
    assert mistake is None or mistake in mistakes[0]
