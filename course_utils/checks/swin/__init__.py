"""Lesson 15 (swin): checks of the exercises."""

from course_utils.checks.swin.joined import merge_patches, shifted_windows
from course_utils.checks.swin.windows import shift_mask, to_windows

__all__ = ["merge_patches", "shift_mask", "shifted_windows", "to_windows"]
