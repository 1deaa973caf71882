"""Lesson 08 (clinic): checks of the exercises."""

from course_utils.checks.clinic.alone import same_alone
from course_utils.checks.clinic.image import notices_the_image
from course_utils.checks.clinic.mended import mended_logits
from course_utils.checks.clinic.numbers import name_the_number
from course_utils.checks.clinic.order import notices_the_order
from course_utils.checks.clinic.ward import diagnoses

__all__ = ["diagnoses", "mended_logits", "name_the_number", "notices_the_image", "notices_the_order", "same_alone"]
