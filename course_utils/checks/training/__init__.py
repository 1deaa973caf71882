"""Lesson 06 (training): checks of the exercises."""

from course_utils.checks.training.learning_rate import learning_rate_at
from course_utils.checks.training.loss import cross_entropy
from course_utils.checks.training.steps import train_steps
from course_utils.checks.training.table_of_classes import confusion_matrix

__all__ = ["confusion_matrix", "cross_entropy", "learning_rate_at", "train_steps"]
