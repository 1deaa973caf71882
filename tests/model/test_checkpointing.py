"""Blocks that are computed a second time: less is kept, and nothing else changes."""

import pytest
import torch
from tiny_training import CONFIG, make_trainer

from course_utils import VisionTransformer
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.model.blocks import set_checkpointing
from course_utils.model.resize import AtPatchSize
from course_utils.training.recipes import Recipe


def gradients(model, images, on):
    set_checkpointing(model, on)
    model.zero_grad()
    torch.manual_seed(1)
    model(images).square().sum().backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


@pytest.mark.parametrize("changes", [{}, {"position": "relative", "drop_path": 0.5}, {"pre_norm": False}])
def test_the_gradient_is_the_same_with_dropout_too(changes):
    model = VisionTransformer(CONFIG.replace(attention_dropout=0.2, **changes)).train()
    images = torch.randn(6, 3, 8, 8)
    plain, again = gradients(model, images, False), gradients(model, images, True)
    assert all(torch.equal(one, other) for one, other in zip(plain, again, strict=True))
    assert any(each.any() for each in plain)


def test_each_block_runs_twice_and_keeps_little():
    model = VisionTransformer(CONFIG.replace(depth=4)).train()
    runs, kept = [], {}
    for block in model.encoder.blocks:
        block.mlp.register_forward_pre_hook(lambda *_: runs.append(1))

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    sizes = []
    for on in (False, True):
        set_checkpointing(model, on)
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            out = model(torch.randn(16, 3, 8, 8))
        sizes.append(sum(kept.values()))
        before = len(runs)
        out.sum().backward()
        assert len(runs) - before == (4 if on else 0)
    assert sizes[1] < sizes[0] / 2


def test_it_does_nothing_where_no_gradient_is_needed():
    model = VisionTransformer(CONFIG).eval()
    set_checkpointing(model, True)
    images = torch.randn(2, 3, 8, 8)
    _, maps = model.train().forward_with_attention(images)
    assert maps.keys() == {0, 1}
    with torch.no_grad():
        model.eval()(images)


def test_a_training_ends_with_the_same_weights():
    recipe = Recipe(steps=3, batch_size=10, early_patch_size=8, early=0.4, freeze=1)
    one, other = make_trainer(recipe), make_trainer(recipe, checkpointing=True)
    one.fit(), other.fit()
    weights = one.model.state_dict(), other.model.state_dict()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_at_another_patch_size_the_gradient_is_right_too():
    """Its parameters are put in for the forward pass alone, so a second run of a block would find others."""
    model = VisionTransformer(CONFIG).train()
    set_checkpointing(model, True)
    images = torch.randn(4, 3, 8, 8)
    found = gradients(AtPatchSize(model, 8), images, False)
    set_checkpointing(model, True)
    resized = AtPatchSize(model, 8).train()
    model.zero_grad()
    torch.manual_seed(1)
    resized(images).square().sum().backward()
    assert all(torch.equal(p.grad, f) for p, f in zip(model.parameters(), found, strict=True))


def test_a_model_without_blocks_is_refused():
    with pytest.raises(ValueError, match="SmallCNN has no transformer blocks"):
        set_checkpointing(SmallCNN(CNNConfig()), True)
