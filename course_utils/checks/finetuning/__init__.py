"""Lesson 09 (finetuning): checks of the exercises."""

from course_utils.checks.finetuning.freezing import freeze
from course_utils.checks.finetuning.head import replace_head
from course_utils.checks.finetuning.rates import parameter_groups

__all__ = ["freeze", "parameter_groups", "replace_head"]
