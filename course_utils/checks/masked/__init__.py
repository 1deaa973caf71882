"""Lesson 13 (masked): checks of the exercises."""

from course_utils.checks.masked.encoder import encode_visible
from course_utils.checks.masked.loss import masked_loss
from course_utils.checks.masked.places import keep_visible, put_back

__all__ = ["encode_visible", "keep_visible", "masked_loss", "put_back"]
