"""The block explorer's numbers, against tokens that are caught inside the block and against arithmetic by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from traitlets import TraitError

from course_utils import VisionTransformer, ViTConfig
from course_utils.data import CIFAR10_CLASSES, Normalisation, remember
from course_utils.explore import BlockExplorer
from course_utils.explore.block import ADDED_TO, follow_tokens, stations

CONFIG = ViTConfig((8, 12), 4, num_classes=3, embed_dim=12, depth=2, num_heads=3, num_registers=1)  # 8 tokens
KINDS = [
    CONFIG,
    CONFIG.replace(pre_norm=False, drop_path=0.5, dropout=0.3),
    CONFIG.replace(norm="rmsnorm", position="rotary", drop_path=0.5),
    CONFIG.replace(pooling="mean", num_registers=0),
]
CLASSES = ["cat", "dog", "ship"]
NORMALISATION = Normalisation((0.2, 0.3, 0.4), (0.1, 0.2, 0.3))  # not CIFAR-10's


@pytest.fixture(params=KINDS, ids=["pre-norm", "post-norm", "rmsnorm", "no class token"])
def any_model(request, randomise):
    return randomise(VisionTransformer(request.param))


@pytest.fixture
def model(randomise):
    model = randomise(VisionTransformer(CONFIG))
    remember(model, NORMALISATION, CLASSES)
    return model


@pytest.fixture
def image():
    return torch.randn(3, 8, 12)


@pytest.fixture
def explorer(model):
    images = torch.randint(0, 256, (3, 3, 8, 12), dtype=torch.uint8)
    return BlockExplorer.from_model(model, images, ["a", "b", "c"])


def arrays(explorer, name):
    """A trait as an array (L, stations or branches, N)."""
    return np.frombuffer(getattr(explorer, name), "<f4").reshape(CONFIG.depth, -1, CONFIG.num_tokens)


def caught(model, image):
    """Follow the tokens by what each part is given and gives: (L, S, N, D)."""
    seen = []

    def keep(module, given, made):
        made = made[0] if isinstance(made, tuple) else made
        seen.append((module, given[0][0], made[0]))

    handles = [
        part.register_forward_hook(keep)
        for block in model.encoder.blocks
        for part in (block.norm1, block.attention, block.norm2, block.mlp, block)
    ]
    model.eval()(image[None])
    for handle in handles:
        handle.remove()
    path = []
    for block in model.encoder.blocks:
        given = {part: into for part, into, _ in seen}
        made = {part: out for part, _, out in seen}
        attention, mlp = made[block.attention], made[block.mlp]
        if block.pre_norm:  # what a norm is given is the stream
            steps = [given[block], made[block.norm1], attention, given[block.norm2], made[block.norm2], mlp]
        else:
            steps = [given[block], attention, given[block.norm1], made[block.norm1], mlp, given[block.norm2]]
        path.append(torch.stack([*steps, made[block]]))
    return torch.stack(path)


def cosine(a, b):
    return (a @ b / (a @ a).sqrt() / (b @ b).sqrt()).item()


def test_lengths_and_cosines_are_those_of_the_tokens(any_model, image):
    paths = follow_tokens(any_model.train(), image)
    assert any_model.training
    path = caught(any_model, image)
    names = [station.kind for station in stations(any_model.config)]
    assert paths.lengths.shape == path.shape[:3] == (2, 7, any_model.config.num_tokens)
    for layer, token in ((0, 0), (1, 0), (0, 5), (1, any_model.config.num_tokens - 1)):
        for station in range(7):
            here = path[layer, station, token]
            assert paths.lengths[layer, station, token].item() == pytest.approx((here @ here).sqrt().item(), rel=1e-4)
            for name, origin in (("to_block", path[layer, 0, token]), ("to_start", path[0, 0, token])):
                assert getattr(paths, name)[layer, station, token].item() == pytest.approx(
                    cosine(here, origin), abs=1e-5
                )
        for branch, name in enumerate(("attention", "MLP")):
            added, stream = path[layer, names.index(name), token], path[layer, ADDED_TO[branch], token]
            assert paths.along[layer, branch, token].item() == pytest.approx(cosine(added, stream), abs=1e-5)


def test_stream_and_branch_make_the_sum_that_is_drawn(any_model, image):
    """Two sides and the angle between them give the third: the law of cosines."""
    paths = follow_tokens(any_model, image)
    kinds = [station.kind for station in stations(any_model.config)]
    sums = (3, 6) if any_model.config.pre_norm else (2, 5)
    for branch, name in enumerate(("attention", "MLP")):
        stream, added = paths.lengths[:, ADDED_TO[branch]], paths.lengths[:, kinds.index(name)]
        square = stream**2 + added**2 + 2 * stream * added * paths.along[:, branch]
        torch.testing.assert_close(paths.lengths[:, sums[branch]], square.sqrt(), rtol=1e-4, atol=1e-4)


def test_each_block_takes_up_where_the_last_one_ended(any_model, image):
    paths = follow_tokens(any_model, image)
    torch.testing.assert_close(paths.lengths[0, -1], paths.lengths[1, 0])
    torch.testing.assert_close(paths.to_start[0, -1], paths.to_start[1, 0])
    torch.testing.assert_close(paths.to_block[:, 0], torch.ones(2, any_model.config.num_tokens))


def test_the_stations_stand_in_the_order_of_the_computation():
    for config in KINDS[:2]:
        order = [station.name for station in stations(config)]
        norms_stand_before = order.index("norm1") < order.index("attention")
        assert norms_stand_before == config.pre_norm
        assert order.index("attention") < order.index("MLP")
        on_stream = {station.kind: station.on_stream for station in stations(config)}
        assert on_stream == {"stream": True, "norm": not config.pre_norm, "attention": False, "MLP": False}


def test_a_token_of_length_0_has_no_direction(image):
    model = VisionTransformer(CONFIG)
    for block in model.encoder.blocks:
        for parameter in block.attention.parameters():
            nn.init.zeros_(parameter)
    paths = follow_tokens(model, image)
    assert paths.lengths[:, 2].tolist() == paths.to_block[:, 2].tolist() == paths.along[:, 0].tolist()
    assert paths.lengths[:, 2].count_nonzero() == 0
    torch.testing.assert_close(paths.lengths[:, 3], paths.lengths[:, 0])


@pytest.mark.parametrize("pre_norm", [True, False])
def test_read_early_goes_by_norm_and_head(randomise, image, pre_norm):
    model = randomise(VisionTransformer(CONFIG.replace(pre_norm=pre_norm)))
    early = follow_tokens(model, image).early
    assert early.shape == (3, 3)
    with torch.no_grad():
        tokens = model.embed(image[None])
        for layer in range(3):
            ended = model.encoder.norm(tokens)[0, 0]
            torch.testing.assert_close(early[layer], model.head(ended).softmax(dim=0))
            if layer < 2:
                tokens, _ = model.encoder.blocks[layer](tokens)
        torch.testing.assert_close(early[-1], model(image[None])[0].softmax(dim=0))


@pytest.mark.parametrize("change", [{"pooling": "mean"}, {"pooling": "attention"}, {"num_classes": 0}])
def test_without_class_token_or_head_nothing_is_read_early(image, change):
    assert follow_tokens(VisionTransformer(CONFIG.replace(**change)), image).early.shape == (0, 0)


# The explorer


def test_it_sends_all_layers_and_tokens_of_the_picture(explorer, model):
    for index in (0, 2):
        explorer.image = index
        paths = follow_tokens(model, NORMALISATION(explorer.images[index : index + 1])[0])
        for name in ("lengths", "to_block", "to_start", "along"):
            assert np.array_equal(arrays(explorer, name), getattr(paths, name).numpy())
        assert [name for name, _ in explorer.early] == [CLASSES[row.argmax()] for row in paths.early]
        assert [share for _, share in explorer.early] == pytest.approx(paths.early.amax(dim=1).tolist())
        assert explorer.answered == index


def test_it_knows_the_model(explorer):
    assert explorer.prefix == ["class token", "register 0"]
    assert (explorer.grid, explorer.depth, explorer.width, explorer.token) == ((2, 3), 2, 12, 0)
    assert [tuple(station) for station in explorer.stations] == list(stations(CONFIG))


def test_a_model_of_patches_alone_starts_in_the_middle():
    model = VisionTransformer(CONFIG.replace(pooling="mean", num_registers=0))
    remember(model, NORMALISATION, CLASSES)
    explorer = BlockExplorer.from_model(model, torch.rand(1, 3, 8, 12), ["a"])
    assert (explorer.prefix, explorer.early, explorer.token) == ([], [], 4)


def test_floats_from_0_to_1_are_the_same_picture(explorer, model):
    floats = BlockExplorer.from_model(model, explorer.images / 255, explorer.names)
    assert floats.lengths == explorer.lengths


def test_the_normalisation_is_the_models_own(explorer, model):
    remember(model, Normalisation((0.5,) * 3, (0.5,) * 3), CLASSES)
    other = BlockExplorer.from_model(model, explorer.images, explorer.names)
    paths = follow_tokens(model, explorer.images[0] / 255 * 2 - 1)
    np.testing.assert_allclose(arrays(other, "lengths"), paths.lengths, rtol=1e-4)


@pytest.mark.parametrize(
    ("trait", "value", "sentence"),
    [
        ("token", 8, "no token 8: choose a number from 0 to 7"),
        ("token", -1, "no token -1"),
        ("layer", 2, "no layer 2: choose a number from 0 to 1"),
        ("compare", "end", "block"),
    ],
)
def test_what_is_not_there_is_refused(explorer, trait, value, sentence):
    before = getattr(explorer, trait)
    with pytest.raises(TraitError, match=sentence):
        setattr(explorer, trait, value)
    assert getattr(explorer, trait) == before


def test_it_can_start_anywhere_but_not_outside(explorer, model):
    def make(**traits):
        return BlockExplorer.from_model(model, explorer.images, explorer.names, **traits)

    assert make(token=5, layer=1).layer == 1
    with pytest.raises(TraitError, match="no token 9"):
        make(token=9)


def test_classes_and_images_must_fit(model, explorer):
    remember(model, NORMALISATION, CIFAR10_CLASSES)
    with pytest.raises(ValueError, match="10 names for the 3 classes"):
        BlockExplorer.from_model(model, explorer.images, explorer.names)
    remember(model, NORMALISATION, CLASSES)
    with pytest.raises(ValueError, match=r"takes images of shape \(B, 3, 8, 12\)"):
        BlockExplorer.from_model(model, explorer.images[..., :8], explorer.names)


def test_the_still_picture_tells_the_numbers_of_the_choice(explorer):
    words = explorer.picture().get_label()
    assert words.startswith(
        "The class token on its way through block 0; angles from the token as it entered this block"
    )
    assert words.endswith(f"the head would say: {', '.join(name for name, _ in explorer.early[1:])}.")
    explorer.token, explorer.layer, explorer.compare = 2 + 4, 1, "start"
    words = explorer.picture().get_label()
    assert words.startswith(
        "The patch row 1, column 1 on its way through block 1; angles from the token as it entered the"
    )
    lengths, angles = arrays(explorer, "lengths")[1, :, 6], np.degrees(np.arccos(arrays(explorer, "to_start")[1, :, 6]))
    for (name, *_), length, angle in zip(stations(CONFIG), lengths, angles, strict=True):
        assert f"{name} {length:.3g} long at {angle:.0f}°" in words
    assert "head" not in words


def test_the_still_picture_marks_the_patch_and_draws_true_sums(explorer):
    explorer.token, explorer.layer = 2 + 5, 1  # the patch in row 1, column 2
    picture, blocks, path, sums = explorer.picture().axes
    assert {(*mark.get_xy(), mark.get_width(), mark.get_height()) for mark in picture.patches} == {(7.5, 3.5, 4, 4)}
    lengths = arrays(explorer, "lengths")[:, :, 7]
    np.testing.assert_allclose([bar.get_height() for bar in path.patches], lengths[1], rtol=1e-6)
    for line, station in zip(blocks.get_lines(), (6, 2, 5), strict=True):
        np.testing.assert_allclose(line.get_ydata(), lengths[:, station], rtol=1e-6)
    drawn = [np.ptp(line.get_xydata(), axis=0) for line in sums.get_lines() if len(line.get_xydata()) == 2]
    drawn = [np.hypot(*side) for side in drawn]  # of the MLP, then of attention: stream, added, sum
    np.testing.assert_allclose(drawn, lengths[1, [3, 5, 6, 0, 2, 3]], rtol=1e-4)
