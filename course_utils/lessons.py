"""The lessons of the course, as ``assets/lessons.toml`` lists them: number, key, title, and what is true of each."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.support.files import ASSETS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = ASSETS / "lessons.toml"


@dataclass(frozen=True)
class Question:
    """What people ask, the answer in short, and the heading in the lesson under which it stands."""

    asked: str
    answer: str
    section: str


@dataclass(frozen=True)
class Lesson:
    """One lesson. What each field means stands at the head of the table."""

    number: int
    key: str
    title: str
    part: str = ""
    notebook: str = ""
    module: str = ""
    about: str = ""
    minutes: int = 0
    budget: int = 0
    quoted: Mapping[str, Sequence[str]] = field(default_factory=dict)
    questions: Sequence[Question] = ()

    def __post_init__(self) -> None:
        if self.written:
            missing = [name for name in ("module", "about", "minutes", "budget") if not getattr(self, name)]
            if missing:
                raise ValueError(f"lesson {self.key} has a notebook, but no {', '.join(missing)}.")

    @property
    def written(self) -> bool:
        """Whether the lesson can be read; the others are planned."""
        return bool(self.notebook)

    @property
    def heading(self) -> str:
        """Number and title, as a reader sees them: "03 · Attention"."""
        return f"{self.number:02d} · {self.title}"

    @property
    def file(self) -> str:
        """Name of the notebook of a written lesson: "03_attention.ipynb"."""
        return f"{self.number:02d}_{self.notebook}.ipynb"


def read_lessons(path: Path = TABLE) -> tuple[Lesson, ...]:
    """Read the table.

    Args:
        path: The table of another copy of the course.

    Returns:
        The lessons in order; each number is the place in this order.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no TOML, a lesson has an unknown field or no title, or a written one lacks something.
    """
    lessons = []
    for number, (key, entry) in enumerate(tomllib.loads(path.read_text(encoding="utf-8")).items()):
        try:
            questions = tuple(Question(**each) for each in entry.pop("questions", ()))
            lessons.append(Lesson(number, key, **entry, questions=questions))
        except TypeError as error:
            raise ValueError(f"{path.name}, lesson {key}: {error}") from None
    return tuple(lessons)


def span(lessons: Sequence[Lesson], to: str) -> str:
    """Name neighbouring lessons by their numbers: "06", or "01 to 05" if ``to`` is " to "."""
    first, last = lessons[0].number, lessons[-1].number
    return f"{first:02d}" if first == last else f"{first:02d}{to}{last:02d}"


LESSONS = read_lessons()
