"""Lesson 07 (attention_maps): checks of the exercises."""

from course_utils.checks.attention_maps.class_token import class_token_map
from course_utils.checks.attention_maps.distance import mean_attention_distance
from course_utils.checks.attention_maps.rollouts import rollout

__all__ = ["class_token_map", "mean_attention_distance", "rollout"]
