"""Lesson 02 (embeddings): checks of the exercises."""

from course_utils.checks.embeddings.class_token import add_class_token
from course_utils.checks.embeddings.codes import position_similarity, sincos_2d
from course_utils.checks.embeddings.layer import embed

__all__ = ["add_class_token", "embed", "position_similarity", "sincos_2d"]
