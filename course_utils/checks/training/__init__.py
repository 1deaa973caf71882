"""Lesson 06 (training): checks of the exercises."""

from course_utils.checks.training.rate_and_loss import cross_entropy, learning_rate_at
from course_utils.checks.training.steps_and_matrix import confusion_matrix, train_steps

__all__ = ["confusion_matrix", "cross_entropy", "learning_rate_at", "train_steps"]
