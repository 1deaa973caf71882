"""The explorers: pictures that answer to mouse and keyboard. Each belongs to a lesson; ``show()`` shows it."""

from course_utils.explore.attention import AttentionExplorer
from course_utils.explore.block import BlockExplorer
from course_utils.explore.explorer import Explorer
from course_utils.explore.patch_size import PatchSizeExplorer
from course_utils.explore.patchify import PatchifyExplorer
from course_utils.explore.position import PositionExplorer
from course_utils.explore.training import TrainingExplorer

__all__ = [
    "AttentionExplorer",
    "BlockExplorer",
    "Explorer",
    "PatchSizeExplorer",
    "PatchifyExplorer",
    "PositionExplorer",
    "TrainingExplorer",
]
