"""Lesson 05 (vit): checks of the exercises."""

from course_utils.checks.vit.axes import shapes_of_forward
from course_utils.checks.vit.forward import vit_forward
from course_utils.checks.vit.parameters import parameters_of_block

__all__ = ["parameters_of_block", "shapes_of_forward", "vit_forward"]
