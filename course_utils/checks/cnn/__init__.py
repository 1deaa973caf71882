"""Lesson 10 (cnn): checks of the exercises."""

from course_utils.checks.cnn.convolution import conv_cost, convolve
from course_utils.checks.cnn.tokens import scramble, stem_tokens

__all__ = ["conv_cost", "convolve", "scramble", "stem_tokens"]
