"""A lesson is named by number and key, and a number alone is found wherever it stands."""

from dataclasses import replace

import pytest
from lesson_numbers import bare_numbers, renumbered

from course_utils.lessons import LESSONS

MOVED = [replace(each, number=each.number + 40) for each in LESSONS]
VIT, CNN = "05<!-- lesson: vit -->", "10<!-- lesson: cnn -->"


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        (f"lessons {VIT} to {CNN}, and {VIT}", []),
        (f"[lesson {VIT}](05_vision_transformer.ipynb) · # 05 · The Vision Transformer", []),
        ("`lesson 7`, ```\n# lesson 7\n```, 0.05 of 1,005, 2024-05-06, and 2 lessons", []),
        ("lesson 10", ["lesson 10"]),
        ("Lesson\n10", ["Lesson\n10"]),
        (f"lessons {VIT} to 12", ["lessons .. to 12"]),
        (f"in {VIT} you build, in 06 you train", ["06"]),
        ("lesson 10 (cnn)", ["lesson 10"]),
        ("10<!-- lesson: cnm -->", ["<!-- lesson: cnm -->"]),
    ],
)
def test_in_markdown_the_key_is_an_unseen_comment(text, bare):
    assert bare_numbers(text, LESSONS, markdown=True) == bare


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("lessons 01 (patches), 02 (embeddings) and 05 (vit): 07 is a number here", []),
        ("what lesson\n# 10 (cnn) needs", []),
        ("Lesson 8: a CNN", ["Lesson 8"]),
        ("lessons 01 (patches) to 12", ["lessons .. to 12"]),
        ("runs/lesson06", ["lesson06"]),
        ("lesson 10 (cnm)", ["lesson 10"]),
        ("lesson 10 (2019)", ["lesson 10"]),
    ],
)
def test_elsewhere_the_key_stands_in_brackets(text, bare):
    assert bare_numbers(text, LESSONS, markdown=False) == bare


@pytest.mark.parametrize(
    ("text", "new"),
    [
        (f"lessons {VIT} to {CNN}", "lessons 45<!-- lesson: vit --> to 50<!-- lesson: cnn -->"),
        (
            "Lessons 01 (patches), 05 (vit)\n# and 10 (cnn)",
            "Lessons 41 (patches), 45 (vit)\n# and 50 (cnn)",
        ),
        ("](05_vision_transformer.ipynb)", "](45_vision_transformer.ipynb)"),
        ("64 (patches), 05, lesson 5, lesson 5 (cnm), 05_other.ipynb", None),
    ],
)
def test_the_number_follows_the_key(text, new):
    assert renumbered(text, MOVED) == (new or text)
    assert renumbered(text, LESSONS) == text
