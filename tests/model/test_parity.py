"""The same weights give the same logits in ours, in NumPy alone, in torchvision and in timm."""

import inspect
import re
from functools import partial

import numpy as np
import pytest
import timm
import torch
import torchvision

from course_utils import VisionTransformer, ViTConfig
from course_utils.model import reference
from course_utils.model.config import POOLINGS, POSITIONS
from course_utils.model.convert import (
    WeightsError,
    from_timm,
    from_torchvision,
    from_torchvision_model,
    to_timm,
    to_torchvision,
)
from course_utils.model.reference import forward

SMALL = ViTConfig(image_size=12, patch_size=4, num_classes=5, embed_dim=24, depth=2, num_heads=3, mlp_ratio=2.0)
SQUARE = [
    SMALL,
    ViTConfig(16, 8, num_classes=10, embed_dim=32, depth=3, num_heads=8, mlp_ratio=3.0),
    ViTConfig(10, 2, num_classes=2, embed_dim=12, depth=1, num_heads=1, mlp_ratio=0.5, norm_eps=1e-3),
]
FOR_TIMM = [
    *SQUARE,
    SMALL.replace(image_size=(8, 16)),
    SMALL.replace(pooling="mean"),
    SMALL.replace(num_registers=4),
    SMALL.replace(pooling="mean", num_registers=2, position="none"),
    SMALL.replace(position="none", qkv_bias=False),
    SMALL.replace(norm="rmsnorm", activation="gelu_tanh"),
    SMALL.replace(in_channels=1, num_classes=0, norm="rmsnorm", norm_eps=1e-3),
]


def images_for(config, batch=3):
    return torch.randn(batch, config.in_channels, config.image_height, config.image_width)


def torchvision_model(config):
    return torchvision.models.VisionTransformer(
        config.image_size,
        config.patch_size,
        config.depth,
        config.num_heads,
        config.embed_dim,
        config.mlp_hidden_dim,
        num_classes=config.num_classes,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        norm_layer=partial(torch.nn.LayerNorm, eps=config.norm_eps),
    ).eval()


def timm_model(config):
    norm = {"layernorm": timm.layers.LayerNorm, "rmsnorm": timm.layers.RmsNorm}[config.norm]
    return timm.models.VisionTransformer(
        img_size=(config.image_height, config.image_width),
        patch_size=config.patch_size,
        in_chans=config.in_channels,
        num_classes=config.num_classes,
        global_pool={"class_token": "token", "mean": "avg"}[config.pooling],
        fc_norm=False,
        class_token=config.has_class_token,
        reg_tokens=config.num_registers,
        pos_embed={"learned": "learn", "none": "none"}[config.position],
        embed_dim=config.embed_dim,
        depth=config.depth,
        num_heads=config.num_heads,
        mlp_ratio=config.mlp_ratio,
        qkv_bias=config.qkv_bias,
        norm_layer=partial(norm, eps=config.norm_eps),
        act_layer=config.activation,
    ).eval()


LIBRARIES = {
    "torchvision": (torchvision_model, to_torchvision, from_torchvision, SQUARE),
    "timm": (timm_model, to_timm, from_timm, FOR_TIMM),
}
CASES = [
    pytest.param(*functions, config, id=f"{name}{number}")
    for name, (*functions, configs) in LIBRARIES.items()
    for number, config in enumerate(configs)
]
with_libraries = pytest.mark.parametrize(("make", "to_theirs", "from_theirs", "config"), CASES)


@torch.no_grad()
def assert_same_logits(ours, theirs, config):
    """To 1e-5 in float32 and to 1e-10 in float64, of the size of the logits (about 1)."""
    images = images_for(config)
    torch.testing.assert_close(ours(images), theirs(images), atol=1e-5, rtol=1e-5)
    images = images.double()
    expected = theirs.double()(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(ours.double()(images), expected, atol=1e-10, rtol=1e-10)


@with_libraries
def test_our_weights_give_the_same_logits_there(make, to_theirs, from_theirs, config, randomise):
    ours, theirs = randomise(VisionTransformer(config)), make(config)
    theirs.load_state_dict(to_theirs(ours.state_dict(), config))
    assert_same_logits(ours, theirs, config)


@with_libraries
def test_their_weights_give_the_same_logits_here(make, to_theirs, from_theirs, config, randomise):
    ours, theirs = VisionTransformer(config).eval(), randomise(make(config))
    ours.load_state_dict(from_theirs(theirs.state_dict(), config))
    assert_same_logits(ours, theirs, config)


@with_libraries
def test_there_and_back_is_bit_equal(make, to_theirs, from_theirs, config, randomise):
    state = randomise(VisionTransformer(config)).state_dict()
    back = from_theirs(to_theirs(state, config), config)
    assert list(back) == list(state)
    assert all(torch.equal(back[name], state[name]) for name in state)

    state = randomise(make(config)).state_dict()
    back = to_theirs(from_theirs(state, config), config)
    assert set(back) == set(state)
    assert all(torch.equal(back[name], state[name]) for name in state)


@pytest.mark.parametrize("preset", ["vit_b_16", "vit_l_16", "vit_h_14"])
def test_presets_have_the_published_shapes(preset):
    config = ViTConfig.preset(preset)
    with torch.device("meta"):  # shapes without numbers
        ours = VisionTransformer(config).state_dict()
        theirs = getattr(torchvision.models, preset)().state_dict()
    converted = to_torchvision(ours, config)
    assert {name: w.shape for name, w in converted.items()} == {name: w.shape for name, w in theirs.items()}


def test_a_torchvision_model_in_one_line(randomise):
    config = SQUARE[2].replace(dropout=0.1, attention_dropout=0.2)
    theirs = randomise(torchvision_model(config))
    ours = from_torchvision_model(theirs)
    assert ours.config == config
    assert not ours.training
    assert_same_logits(ours, theirs, ours.config)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"representation_size": 7}, "unexpected: heads.pre_logits.weight"),
        (
            {"conv_stem_configs": [torchvision.models.vision_transformer.ConvStemConfig(8, 3, 4)]},
            "missing: conv_proj.weight",
        ),
    ],
)
def test_a_torchvision_model_with_a_part_that_ours_lacks_is_refused(settings, fault):
    theirs = torchvision.models.VisionTransformer(12, 4, 1, 3, 24, 48, num_classes=5, **settings)
    with pytest.raises(WeightsError, match=fault):
        from_torchvision_model(theirs)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"position": "none"}, "position='none'"),
        ({"position": "rotary", "num_heads": 2}, "position='rotary'"),
        ({"pooling": "mean"}, "pooling='mean'"),
        ({"num_registers": 2}, "num_registers=2"),
        ({"norm": "rmsnorm"}, "norm='rmsnorm'"),
        ({"pre_norm": False}, "pre_norm=False"),
        ({"activation": "gelu_tanh"}, "activation='gelu_tanh'"),
        ({"qkv_bias": False}, "qkv_bias=False"),
        ({"in_channels": 1}, "in_channels=1"),
        ({"image_size": (12, 16)}, r"image_size=\(12, 16\)"),
    ],
)
def test_what_torchvision_lacks_is_refused_by_name(settings, name):
    config = SMALL.replace(**settings)
    for convert in (to_torchvision, from_torchvision):
        with pytest.raises(ValueError, match=f"torchvision's VisionTransformer has no counterpart for {name}"):
            convert({}, config)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"position": "rotary", "num_heads": 2}, "position='rotary'"),
        ({"position": "relative"}, "position='relative'"),
        ({"position": "sincos2d"}, "position='sincos2d'"),
        ({"pooling": "attention"}, "pooling='attention'"),
        ({"pre_norm": False}, "pre_norm=False"),
    ],
)
def test_what_timm_lacks_is_refused_by_name(settings, name):
    config = SMALL.replace(**settings)
    for convert in (to_timm, from_timm):
        with pytest.raises(ValueError, match=f"timm's VisionTransformer has no counterpart for {name}"):
            convert({}, config)


def test_weights_of_another_model_are_refused_with_every_fault():
    """timm's usual mean pooling normalises after the mean, under another name: not the same model."""
    sizes = {"img_size": 12, "patch_size": 4, "embed_dim": 24, "depth": 2, "num_heads": 3, "mlp_ratio": 2}
    theirs = timm.models.VisionTransformer(**sizes, num_classes=7, global_pool="avg", class_token=False)
    with pytest.raises(WeightsError) as error:
        from_timm(theirs.state_dict(), SMALL.replace(pooling="mean"))
    for fault in (
        "missing: norm.weight",
        "missing: norm.bias",
        "unexpected: fc_norm.weight",
        "unexpected: fc_norm.bias",
        "wrong shape: head.weight is (7, 24), but must be (5, 24)",
        "wrong shape: head.bias is (7,), but must be (5,)",
    ):
        assert fault in str(error.value)
    assert len(str(error.value).splitlines()) == 7
    with pytest.raises(WeightsError, match=r"missing: embeddings\.class_token"):
        to_timm({}, SMALL)


# NumPy alone

STYLES = [
    {},
    {"norm": "rmsnorm", "pre_norm": False, "activation": "gelu_tanh", "qkv_bias": False},
    {"pre_norm": False, "activation": "gelu_tanh", "norm_eps": 1e-2},
    {"norm": "rmsnorm", "qkv_bias": False, "num_classes": 0, "in_channels": 1},
]


@pytest.mark.parametrize("num_registers", [0, 2])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("position", POSITIONS)
def test_numpy_alone_gives_the_same_logits(position, pooling, num_registers, randomise):
    for style in STYLES:
        config = SMALL.replace(image_size=(8, 12), position=position, pooling=pooling, num_registers=num_registers)
        config = config.replace(**{"num_heads": 2, **style})
        model, images = randomise(VisionTransformer(config)), images_for(config)
        weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
        logits = forward(images.numpy(), weights, config)
        assert logits.dtype == np.float64
        with torch.no_grad():
            np.testing.assert_allclose(model(images), logits, atol=1e-5, rtol=1e-5)
            np.testing.assert_allclose(model.double()(images.double()), logits, atol=1e-10, rtol=1e-10)


def test_numpy_in_float32(randomise):
    model, images = randomise(VisionTransformer(SMALL)), images_for(SMALL)
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    logits = forward(images.numpy(), weights, SMALL, dtype=np.float32)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(model(images).detach(), logits, atol=1e-5, rtol=1e-5)


def test_numpy_needs_no_torch():
    imported = re.findall(r"^(?:import|from) (\w+)", inspect.getsource(reference), re.MULTILINE)
    assert set(imported) == {"__future__", "collections", "course_utils", "math", "numpy"}


def test_numpy_refuses_images_of_another_shape():
    with pytest.raises(ValueError, match=r"must have the shape \(B, 3, 12, 12\), not \(1, 3, 12, 16\)"):
        forward(np.zeros((1, 3, 12, 16)), {}, SMALL)
