"""Lesson 04 (blocks): checks of the exercises."""

from course_utils.checks.blocks.elements import gelu, layer_norm
from course_utils.checks.blocks.joined import drop_path, pre_norm_block

__all__ = ["drop_path", "gelu", "layer_norm", "pre_norm_block"]
