"""Checks of the exercises: one module a lesson, and ``progress``, which says what is done."""

from course_utils.checks.core import progress

__all__ = ["progress"]
