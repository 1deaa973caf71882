"""Lesson 07 (attention_maps): checks of the exercises."""

from course_utils.checks.attention_maps.one_layer import class_token_map, mean_attention_distance
from course_utils.checks.attention_maps.several_layers import rollout

__all__ = ["class_token_map", "mean_attention_distance", "rollout"]
