"""The explorers that ship."""

from course_utils import explore

EXPLORERS = [getattr(explore, name) for name in explore.__all__ if name != "Explorer"]
