"""Lesson 11 (patch_size): checks of the exercises."""

from course_utils.checks.patch_size.codes import resize_codes
from course_utils.checks.patch_size.kernel import resize_kernel
from course_utils.checks.patch_size.loss import flexi_loss

__all__ = ["flexi_loss", "resize_codes", "resize_kernel"]
