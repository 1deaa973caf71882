"""Another start for learned position codes."""

import pytest
import torch

from course_utils import VisionTransformer, ViTConfig
from course_utils.data import load_cifar10
from course_utils.training.recipes import Recipe
from course_utils.training.tasks import Classification
from course_utils.training.trainer import Trainer

CONFIG = ViTConfig(patch_size=8, embed_dim=32, depth=1, num_heads=2)


def started(code_start, seed=5, **config):
    torch.manual_seed(0)
    model = VisionTransformer(CONFIG.replace(**config))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    task = Classification(load_cifar10("train", sample="always").subset(range(20)))
    recipe = Recipe(steps=1, batch_size=10, code_start=code_start)
    Trainer(model, task, recipe, seed=seed, device="cpu", show_progress=False)
    return before, model.state_dict()


@pytest.mark.parametrize("std", [0.0, 0.02, 1.0])
def test_the_codes_start_with_the_standard_deviation_that_is_asked_for_and_all_else_stays(std):
    before, after = started(std)
    codes = after["embeddings.position_code"]
    assert codes.std() == pytest.approx(std, rel=0.1)
    for name in before.keys() - {"embeddings.position_code"}:
        assert torch.equal(before[name], after[name])


def test_the_seed_decides_and_none_leaves_what_is_there():
    one, other = started(1.0)[1], started(1.0, seed=6)[1]
    assert torch.equal(one["embeddings.position_code"], started(1.0)[1]["embeddings.position_code"])
    assert not torch.equal(one["embeddings.position_code"], other["embeddings.position_code"])
    before, after = started(None)
    assert torch.equal(before["embeddings.position_code"], after["embeddings.position_code"])


@pytest.mark.parametrize("position", ["none", "sincos2d", "rotary", "relative"])
def test_codes_that_are_not_learned_are_named(position):
    with pytest.raises(ValueError, match="code_start is for learned position codes"):
        started(0.5, position=position)
