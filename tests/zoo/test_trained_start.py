"""A trained body under a new head."""

import copy

import pytest
import torch
from torch import nn

from course_utils import VisionTransformer, ViTConfig
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.data import Normalisation, remember
from course_utils.model.convert import WeightsError
from course_utils.zoo.start import replace_head, take_over
from course_utils.zoo.weights import load_weights, save_weights

CONFIG = ViTConfig(image_size=8, patch_size=4, embed_dim=16, depth=1, num_heads=2, num_classes=3)
NORMALISATION = Normalisation((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


@pytest.fixture
def trained(randomise):
    model = randomise(VisionTransformer(CONFIG))
    remember(model, NORMALISATION, ("a", "b", "c"))
    return model


def test_the_body_is_the_same_and_the_head_is_zeros(trained):
    before = copy.deepcopy(trained.state_dict())
    model = replace_head(trained, 5, "vwxyz")
    assert model(torch.randn(2, 3, 8, 8)).tolist() == [[0.0] * 5] * 2
    for name, tensor in before.items():
        assert torch.equal(trained.state_dict()[name], tensor)
        if not name.startswith("head."):
            assert torch.equal(model.state_dict()[name], tensor)
    assert (model.config.num_classes, model.classes) == (5, ("v", "w", "x", "y", "z"))
    assert model.normalisation == NORMALISATION
    with torch.no_grad():
        next(model.parameters()).add_(1)
    assert torch.equal(next(trained.parameters()), before["embeddings.class_token"])


def test_it_can_be_saved_and_loaded(trained, tmp_path):
    model = replace_head(trained, 4, "wxyz")
    save_weights(model, tmp_path / "w.safetensors", half=False)
    again = load_weights(tmp_path / "w.safetensors")
    assert (again.classes, again.normalisation) == (("w", "x", "y", "z"), NORMALISATION)


def test_a_body_without_a_head_gets_one(randomise):
    features = randomise(VisionTransformer(CONFIG.replace(num_classes=0)))
    assert replace_head(features, 2)(torch.randn(1, 3, 8, 8)).shape == (1, 2)


def test_a_cnn_can_have_a_new_head_too():
    assert replace_head(SmallCNN(CNNConfig(width=4, stages=2)), 3)(torch.randn(2, 3, 8, 8)).shape == (2, 3)


@pytest.mark.parametrize(("count", "names"), [(0, None), (3, "ab"), (-1, None)])
def test_impossible_heads_are_refused(count, names, trained):
    with pytest.raises(ValueError, match="as many names"):
        replace_head(trained, count, names)


def test_weights_are_taken_over_but_for_the_head(trained):
    model = VisionTransformer(CONFIG.replace(num_classes=7))
    take_over(model, trained.state_dict() | {"decoder.weight": torch.zeros(3)}, "a test")
    assert torch.equal(model.embeddings.position_code, trained.embeddings.position_code)
    assert not model.head.weight.any()


def test_a_body_that_does_not_fit_is_named(trained):
    with pytest.raises(WeightsError, match=r"from a test do not fit.*\n  embeddings.position_code is \(1, 5, 16\)"):
        take_over(VisionTransformer(CONFIG.replace(image_size=12)), trained.state_dict(), "a test")
    with pytest.raises(WeightsError, match=r"blocks\.1\.norm1\.weight is missing"):
        take_over(VisionTransformer(CONFIG.replace(depth=2)), trained.state_dict(), "a test")


def test_a_model_without_a_head_of_its_own_is_refused():
    class Other(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.config, self.weight = config, nn.Parameter(torch.zeros(1))

    with pytest.raises(ValueError, match="Other has no linear head"):
        replace_head(Other(CONFIG), 2)
