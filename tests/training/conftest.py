"""A tiny model and a few images: enough to train in a second."""

import pytest
import torch

from course_utils import VisionTransformer, ViTConfig
from course_utils.data import ImageSet
from course_utils.training.recipes import Recipe
from course_utils.training.trainer import Trainer

CONFIG = ViTConfig(image_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=4, dropout=0.1)


def make_images(count: int = 50, seed: int = 0) -> ImageSet:
    """Random pictures whose mean brightness tells the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    noise = torch.randint(0, 60, (count, 3, 8, 8), generator=generator)
    return ImageSet(
        (noise + 60 * labels[:, None, None, None]).to(torch.uint8), labels, tuple("abcd"), "train", "synthetic"
    )


@pytest.fixture
def make_trainer():
    """Make a trainer with a freshly seeded tiny model."""

    def make(recipe: Recipe, config: ViTConfig = CONFIG, validation: bool = True, **options) -> Trainer:
        torch.manual_seed(0)
        model = VisionTransformer(config)
        options = {"device": "cpu", "precision": "fp32", "show_progress": False} | options
        return Trainer(model, make_images(), make_images(20, seed=1) if validation else None, recipe, **options)

    return make
