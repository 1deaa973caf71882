"""Lesson 12 (distillation): checks of the exercises."""

from course_utils.checks.distillation.losses import soft_loss, two_heads_loss
from course_utils.checks.distillation.step import step_loss

__all__ = ["soft_loss", "step_loss", "two_heads_loss"]
