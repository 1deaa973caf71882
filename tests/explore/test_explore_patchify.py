"""The explorer of lesson 01 (patches): costs by the package's own formulas, and a mark that stays on its place."""

import numpy as np
import pytest
import torch
from traitlets import TraitError

from course_utils import VisionTransformer, ViTConfig
from course_utils.explore import PatchifyExplorer
from course_utils.explore.patchify import LARGEST_SEQUENCE, middle_of, patch_at, patch_costs, patch_sizes
from course_utils.model.patches import patchify


@pytest.fixture
def explorer():
    """Two pictures, 24 pixels high and 32 wide."""
    images = torch.arange(2 * 3 * 24 * 32).reshape(2, 3, 24, 32) % 251
    return PatchifyExplorer(images.to(torch.uint8), ["first", "second"])


# Patch sizes and places


@pytest.mark.parametrize(
    ("height", "width", "sizes"),
    [(32, 32, [1, 2, 4, 8, 16, 32]), (24, 32, [1, 2, 4, 8]), (7, 5, [1]), (224, 112, [7, 8, 14, 16, 28, 56, 112])],
)
def test_the_patch_sizes_divide_both_sides_and_leave_a_sequence_that_can_be_drawn(height, width, sizes):
    assert patch_sizes(height, width) == sizes
    assert all(patchify(torch.zeros(3, height, width), p).shape[0] <= LARGEST_SEQUENCE for p in sizes)


def test_an_image_that_no_patch_size_fits_is_refused():
    with pytest.raises(ValueError, match="No patch size cuts an image of 331x337 pixels into at most 1024 patches"):
        patch_sizes(331, 337)


@pytest.mark.parametrize("p", [1, 2, 4, 8])
def test_the_patch_at_a_place_is_the_one_that_holds_its_pixel(p):
    pixels = torch.arange(24 * 32).reshape(1, 24, 32)  # each pixel holds its own number
    for patch, held in enumerate(patchify(pixels, p)):
        assert {patch_at(divmod(pixel, 32), p, width=32) for pixel in held.tolist()} == {patch}
        row, column = middle_of(patch, p, width=32)
        assert 32 * row + column in held


# Costs


def test_costs_are_those_of_the_models():
    config = ViTConfig(image_size=(8, 16), patch_size=4, embed_dim=16, depth=2, num_heads=2)
    small, large = patch_costs(config, [2, 8])
    model = VisionTransformer(config.replace(patch_size=2))
    named = dict(model.named_parameters())
    assert small["patches"] + small["others"] == model.config.num_tokens == 4 * 8 + 1
    assert small["numbers"] == 3 * 2 * 2
    assert small["scores"] == (4 * 8 + 1) ** 2
    assert small["positions"] == sum(value.numel() for name, value in named.items() if "position" in name)
    assert small["patch embedding"] == sum(value.numel() for name, value in named.items() if "patch_embedding" in name)
    # By hand, for P = 8: 2 patches of 192 numbers to width 16; 3 tokens; in each of 2 blocks q, k, v and back, the two
    # products, and an MLP 4 times as wide; a head for 10 classes.
    products = 2 * 2 * 3 * 3 * 16
    total = 2 * 192 * 16 + 2 * 3 * 4 * 16 * 16 + products + 2 * 3 * 2 * 16 * 64 + 16 * 10
    assert large["multiply-adds"] == total
    assert large["attention share"] == products / total


def test_the_models_own_patch_size_is_what_others_are_compared_with():
    config = ViTConfig(image_size=16, patch_size=8)
    costs = patch_costs(config, [4, 8, 16])
    assert costs[1]["relative"] == 1
    assert costs[0]["relative"] == costs[0]["multiply-adds"] / costs[1]["multiply-adds"] > 1 > costs[2]["relative"]


def test_another_model_can_be_counted_and_a_size_that_does_not_fit_is_replaced():
    explorer = PatchifyExplorer(torch.zeros(1, 3, 20, 20), ["black"], preset="vit_b_16")  # 16 does not divide 20
    assert explorer.sizes == [1, 2, 4, 5, 10, 20]
    assert explorer.patch_size == explorer.reference == 5
    assert explorer.costs == patch_costs(ViTConfig.preset("vit_b_16", image_size=20, patch_size=5), explorer.sizes)
    assert "vit_b_16: 12 blocks, 12 heads, width 768" in explorer.model_words
    with pytest.raises(ValueError, match="preset"):
        PatchifyExplorer(torch.zeros(1, 3, 20, 20), ["black"], preset="vit")


# Traits


def test_it_starts_in_the_middle_with_the_models_patch_size(explorer):
    assert (explorer.patch_size, explorer.grid, explorer.place) == (4, (6, 8), (12, 16))
    assert explorer.patch == 3 * 8 + 4


def test_the_mark_stays_on_its_place_when_the_patch_size_changes(explorer):
    explorer.patch = 13  # row 1, column 5
    assert explorer.place == (6, 22)
    explorer.patch_size = 8
    assert explorer.patch == 2  # row 0, column 2
    explorer.patch_size = 1
    assert explorer.patch == 6 * 32 + 22
    explorer.patch_size = 4
    assert (explorer.patch, explorer.place) == (13, (6, 22))


def test_a_change_from_the_browser_sets_the_patch(explorer):
    explorer.set_state({"place": [23, 0]})
    assert explorer.patch == 5 * 8
    explorer.set_state({"patch_size": 8, "place": [8, 31]})  # two changes in one message
    assert explorer.patch == 1 * 4 + 3


@pytest.mark.parametrize(
    ("trait", "value", "sentence"),
    [
        ("patch_size", 3, "There is no patch size 3: choose one of 1, 2, 4, 8"),
        ("patch", 48, "There is no patch 48: choose a number from 0 to 47"),
        ("patch", -1, "There is no patch -1"),
        ("place", (24, 0), "There is no pixel .24, 0. in an image of 24x32"),
    ],
)
def test_what_is_not_there_is_refused(explorer, trait, value, sentence):
    before = getattr(explorer, trait)
    with pytest.raises(TraitError, match=sentence):
        setattr(explorer, trait, value)
    assert getattr(explorer, trait) == before


def test_the_browser_gets_the_pixels_of_every_picture(explorer):
    pixels = np.frombuffer(explorer.pictures, np.uint8).reshape(2, 24, 32, 3)
    np.testing.assert_array_equal(pixels, explorer.images.permute(0, 2, 3, 1))


# The static picture


def test_the_picture_shows_what_is_chosen(explorer):
    explorer.image, explorer.patch_size, explorer.patch = 1, 8, 6
    figure = explorer.picture()
    whole, apart, bars = figure.axes
    np.testing.assert_allclose(whole.images[0].get_array() * 255, explorer.images[1].permute(1, 2, 0), atol=1e-3)
    assert [(frame.get_x(), frame.get_y()) for frame in whole.patches] == [(2 * 8 - 0.5, 1 * 8 - 0.5)] * 2
    assert "row 1, column 2: token 6" in whole.get_title()
    assert [text.get_text() for text in apart.texts if text.get_color() != "white"] == ["6"]
    assert [bar.get_width() for bar in bars.patches] == [cost["relative"] for cost in explorer.costs]
    words = figure.get_label()
    assert "second, 24x32 pixels, cut into patches of 8x8 pixels: 3 rows and 4 columns" in words
    assert "row 1, column 2 is marked: token 6 of 12" in words


def test_the_finest_patches_are_drawn_without_numbers(explorer):
    explorer.patch_size = 1
    assert not explorer.picture().axes[1].texts
