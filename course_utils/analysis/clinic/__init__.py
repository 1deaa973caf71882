"""Lesson 08 (clinic): quick tests that say why a model does not learn, and ``examine``, which runs them all."""

from course_utils.analysis.clinic.examination import examine

__all__ = ["examine"]
