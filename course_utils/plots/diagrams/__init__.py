"""Diagrams of the course: what is built, in which order, and how its parts work. One module a lesson.

The same thing has the same colour everywhere; the words beside it say it too. Shapes are computed from what is given.
"""

from course_utils.plots.diagrams.attention import attention_head, multi_head
from course_utils.plots.diagrams.attention_maps import rollout_steps
from course_utils.plots.diagrams.blocks import transformer_block
from course_utils.plots.diagrams.course_map import course_map
from course_utils.plots.diagrams.embeddings import embedding_sum
from course_utils.plots.diagrams.patches import patch_order
from course_utils.plots.diagrams.start import convolution_and_attention, timeline
from course_utils.plots.diagrams.swin import shifted_windows
from course_utils.plots.diagrams.training import data_splits
from course_utils.plots.diagrams.vit import pipeline

__all__ = [
    "attention_head",
    "convolution_and_attention",
    "course_map",
    "data_splits",
    "embedding_sum",
    "multi_head",
    "patch_order",
    "pipeline",
    "rollout_steps",
    "shifted_windows",
    "timeline",
    "transformer_block",
]
