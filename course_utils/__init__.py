"""The Vision Transformer, written to be read: the package behind the course's notebooks."""

from course_utils.model.config import PRESETS, ViTConfig
from course_utils.model.vit import VisionTransformer

__version__ = "0.1.0"
__all__ = ["PRESETS", "ViTConfig", "VisionTransformer", "__version__"]
