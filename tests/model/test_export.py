"""A model can be exported for any number of images: nothing in its forward pass freezes the size of the batch."""

import pytest
import torch
from torch.export import Dim, ExportedProgram

from course_utils import PRESETS, VisionTransformer, ViTConfig
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.beyond.conv_stem import ConvStemConfig, ConvStemViT
from course_utils.model.attention import IMPLEMENTATIONS, set_attention_implementation
from course_utils.model.config import POOLINGS, POSITIONS

TINY = ViTConfig(image_size=(8, 12), patch_size=4, embed_dim=24, depth=1, num_heads=3)


def images_for(config, batch):
    return torch.randn(batch, config.in_channels, config.image_height, config.image_width)


def exported(model, images) -> ExportedProgram:
    """Export with a free batch. PyTorch refuses if the forward pass allows the example's size alone."""
    return torch.export.export(model.eval(), (images,), dynamic_shapes=({0: Dim("batch")},))


def batch_is_free(program) -> bool:
    """Whether the images and the logits of a program have a size that is no number yet."""
    nodes = {node.name: node for node in program.graph.nodes}
    names = [*program.graph_signature.user_inputs, *program.graph_signature.user_outputs]
    return all(isinstance(nodes[name].meta["val"].shape[0], torch.SymInt) for name in names)


def assert_same_for_other_batches(model, config):
    program = exported(model, images_for(config, 3))
    assert batch_is_free(program)
    for batch in (1, 2, 5):
        images = images_for(config, batch)
        torch.testing.assert_close(program.module()(images), model(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("cifar")])
def test_a_preset_for_cifar_gives_the_same_logits_for_other_batches(name, randomise):
    config = PRESETS[name]
    assert_same_for_other_batches(randomise(VisionTransformer(config)), config)


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("vit")])
def test_a_preset_for_imagenet_can_be_exported(name):
    config = PRESETS[name]
    with torch.device("meta"):  # shapes without numbers
        assert batch_is_free(exported(VisionTransformer(config), images_for(config, 3)))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("position", POSITIONS)
def test_every_position_code_and_pooling_can_be_exported(position, pooling, randomise):
    config = TINY.replace(position=position, pooling=pooling, num_registers=2)
    assert_same_for_other_batches(randomise(VisionTransformer(config)), config)


@pytest.mark.parametrize("settings", [{"pre_norm": False, "norm": "rmsnorm"}, {"num_classes": 0}])
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_other_settings_can_be_exported(implementation, settings, randomise):
    config = TINY.replace(**settings)
    model = randomise(VisionTransformer(config))
    set_attention_implementation(model, implementation)
    assert_same_for_other_batches(model, config)


def test_the_models_beside_it_can_be_exported(randomise):
    for stem in ("strided", "pooled"):
        config = ConvStemConfig(**TINY.to_dict(), stem=stem)
        assert_same_for_other_batches(randomise(ConvStemViT(config)), TINY)
    assert_same_for_other_batches(randomise(SmallCNN(CNNConfig(width=4, stages=2))), TINY)


def test_an_exported_model_refuses_images_of_another_shape():
    program = exported(VisionTransformer(TINY), images_for(TINY, 3))
    with pytest.raises((RuntimeError, AssertionError)):
        program.module()(torch.randn(2, 3, 8, 8))
