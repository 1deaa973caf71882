"""One of each explorer, over small things."""

import pytest
import torch

from course_utils import VisionTransformer, ViTConfig, explore


@pytest.fixture(scope="session")
def pictures():
    return torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="session")
def make(pictures):
    """Make an explorer by its name; a new one needs a line here."""
    torch.manual_seed(0)
    model = VisionTransformer(ViTConfig(16, 4, embed_dim=16, depth=2, num_heads=2)).eval()
    words = ["cat", "dog", "ship"]
    makers = {
        "AttentionExplorer": lambda: explore.AttentionExplorer.from_model(model, pictures, words),
        "BlockExplorer": lambda: explore.BlockExplorer.from_model(model, pictures, words),
        "PatchifyExplorer": lambda: explore.PatchifyExplorer(pictures, words),
        "PositionExplorer": lambda: explore.PositionExplorer.from_snapshots("cifar_micro"),
        "TrainingExplorer": lambda: explore.TrainingExplorer.from_snapshots("cifar_micro"),
    }
    return lambda name: makers[name]()


@pytest.fixture(params=[name for name in explore.__all__ if name != "Explorer"])
def any_explorer(request, make):
    return make(request.param)
