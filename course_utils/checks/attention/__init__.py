"""Lesson 03 (attention): checks of the exercises."""

from course_utils.checks.attention.one_head import attention_weights, softmax
from course_utils.checks.attention.several_heads import multi_head_attention, split_heads

__all__ = ["attention_weights", "multi_head_attention", "softmax", "split_heads"]
