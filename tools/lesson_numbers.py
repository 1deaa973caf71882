"""Numbers of lessons in texts: each has the key of its lesson behind it, so that it can be checked and written anew.

In Markdown, in notebooks too, the key is a comment that no reader sees. Elsewhere it is a word in brackets:

    lessons 01<!-- lesson: patches --> to 05<!-- lesson: vit -->
    lessons 01 (patches) to 05 (vit)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from course_utils.lessons import Lesson

UNSEEN = re.compile(r"(\d+)(?=<!-- lesson: (\w+) -->)")
SPOKEN = re.compile(r"(\d+)(?= \((\w+)\))")
BETWEEN = r"(?:[\s,–#]|and|to|or)*"  # and the mark of a comment that goes on
MENTION = re.compile(rf"\blessons?(?:{BETWEEN}\d+ \(\w+\))+", re.IGNORECASE)
FILE = re.compile(r"\b\d\d_(\w+)\.ipynb")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)

KEYED = "§"  # stands for a number with its key
BARE = re.compile(rf"\blessons?[\s#-]*(?:{KEYED}{BETWEEN})*\d+", re.IGNORECASE)
LEADING_ZERO = re.compile(r"(?<![\w/:%-])(?<!\d[.,])0\d(?![\w/%:]|[.,-]\d| ·)")  # in a text: "in 01 to 05 you build it"
UNKNOWN = re.compile(r"<!-- lesson: \w+ -->")


def renumbered(text: str, lessons: Sequence[Lesson]) -> str:
    """Return a text with the number of each lesson that it names by key or by file. What has no key stays."""
    numbers = {lesson.key: f"{lesson.number:02d}" for lesson in lessons}
    files = {lesson.notebook: lesson.file for lesson in lessons if lesson.written}

    def number(found: re.Match[str]) -> str:
        return numbers.get(found[2], found[1])

    text = UNSEEN.sub(number, text)
    text = MENTION.sub(lambda mention: SPOKEN.sub(number, mention[0]), text)
    return FILE.sub(lambda found: files.get(found[1], found[0]), text)


def bare_numbers(text: str, lessons: Sequence[Lesson], *, markdown: bool) -> list[str]:
    """Return the places of a text where a lesson is named by a number alone, or with a key that no lesson has."""
    known = "|".join(lesson.key for lesson in lessons)
    right = rf"\b\d\d<!-- lesson: (?:{known}) -->"
    if markdown:
        text = CODE.sub("", text)
    else:
        right += rf"|\b\d\d \((?:{known})\)"
    text = re.sub(right, KEYED, text)
    bare = []
    for pattern in (BARE, UNKNOWN, LEADING_ZERO) if markdown else (BARE, UNKNOWN):
        bare += [found[0].replace(KEYED, "..") for found in pattern.finditer(text)]
        text = pattern.sub("", text)
    return bare
