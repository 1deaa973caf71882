from __future__ import annotations

import math

import pytest
import torch

from course_utils.data import PATTERN_CLASSES, ColouredShapes, patterns
from course_utils.data.synthetic import COLOURS, PLACES, SHAPES

# ---- grey patterns


def clean(label):
    """Return images of one class without noise, as floats (N, 8, 8)."""
    image_set = patterns(400, seed=0, noise=0)
    return image_set.images[image_set.labels == label, 0].float()


def test_patterns_are_an_image_set():
    image_set = patterns(10, seed=0)
    assert image_set.images.shape == (10, 1, 8, 8)
    assert image_set.images.dtype == torch.uint8
    assert image_set.labels.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert (image_set.classes, image_set.source) == (PATTERN_CLASSES, "synthetic")
    assert patterns(4, seed=0, size=12).images.shape == (4, 1, 12, 12)
    assert len(patterns(0, seed=0)) == 0


def test_bars_run_across_or_down():
    across, down = clean(0), clean(1)
    assert torch.equal(across, across[:, :, :1].expand_as(across))
    assert (across.amax(1) - across.amin(1) > 100).all()  # every column has bright and dark
    assert torch.equal(down, down[:, :1].expand_as(down))
    assert (down.amax(2) - down.amin(2) > 100).all()


def test_ramps_rise_from_corner_to_corner():
    ramp = clean(2)
    for dim in (1, 2):
        steps = ramp.diff(dim=dim)
        assert ((steps > 0).flatten(1).all(1) | (steps < 0).flatten(1).all(1)).all()
    corners = torch.stack([ramp[:, 0, 0], ramp[:, 0, 7], ramp[:, 7, 0], ramp[:, 7, 7]])
    assert set(corners.argmax(0).tolist()) == {0, 1, 2, 3}


def test_checkerboards_have_two_values_in_squares():
    for board in clean(3):
        assert len(board.unique()) == 2
        assert not torch.equal(board, board[:1].expand_as(board))
        bright = board == board.max()
        # Each row is the first row or its opposite: that makes squares.
        assert ((bright == bright[0]).all(1) | (bright != bright[0]).all(1)).all()


def test_patterns_vary_in_phase_width_and_contrast():
    for label in range(4):
        images = clean(label)
        assert len({image.numpy().tobytes() for image in images}) > 60
        contrast = images.flatten(1).amax(1) - images.flatten(1).amin(1)
        assert contrast.min() < 170
        assert contrast.max() > 220


def test_noise_is_as_strong_as_asked():
    exact, noisy = patterns(400, seed=0, noise=0).images / 255, patterns(400, seed=0, noise=0.05).images / 255
    inside = (exact > 0.2) & (exact < 0.8)  # away from the limits, where noise is cut off
    assert (noisy - exact)[inside].std() == pytest.approx(0.05, rel=0.1)


def test_patterns_depend_on_the_seed_alone():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = patterns(8, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert patterns(8, seed=1).describe() == first.describe()
    assert patterns(8, seed=2).describe() != first.describe()


@pytest.mark.parametrize("wrong", [{"n": -1}, {"size": 3}, {"noise": -0.1}])
def test_patterns_refuse_wrong_arguments(wrong):
    with pytest.raises(ValueError, match="patterns needs n >= 0, size >= 4 and noise >= 0, not"):
        patterns(**({"n": 4, "seed": 0} | wrong))


# ---- coloured shapes


@pytest.fixture(scope="module")
def items():
    shapes = ColouredShapes(seed=0)
    return [shapes[index] for index in range(600)]


def cover(image):
    """Mark the pixels that the shape covers: those that are far from the ground, the value in the corner or border."""
    image = image.float()
    return (image - image[:, -1, 0].view(3, 1, 1)).abs().amax(0) > 25


def test_an_item_is_the_same_whatever_was_drawn_before(items):
    torch.manual_seed(123)
    again = ColouredShapes(seed=0)
    for index in (599, 7, 0):
        assert again[index][1:] == items[index][1:]
        assert torch.equal(again[index].image, items[index].image)
    assert [item.caption for item in items[:3]] == [
        "a blue ring in the upper left",
        "a purple square in the lower right",
        "a blue ring in the lower right",
    ]


def test_seeds_and_indices_give_different_images(items):
    other = ColouredShapes(seed=1)
    pictures = [item.image for item in items] + [other[index].image for index in range(100)]
    assert len({picture.numpy().tobytes() for picture in pictures}) == 700


def test_captions_say_the_attributes(items):
    for item in items:
        assert item.image.shape == (3, 32, 32)
        assert item.image.dtype == torch.uint8
        article = "an" if item.colour == "orange" else "a"
        assert item.caption == f"{article} {item.colour} {item.shape} in the {item.place}"
    assert {item.colour for item in items} == set(COLOURS)
    assert {item.shape for item in items} == set(SHAPES)
    assert {item.place for item in items} == set(PLACES)


def test_the_colour_in_the_picture_is_the_colour_in_the_caption(items):
    table = torch.tensor(list(COLOURS.values())).float()
    for item in items:
        brightest = item.image[:, cover(item.image)].float().median(1).values
        assert list(COLOURS)[(table - brightest).norm(dim=1).argmin()] == item.colour


def test_the_place_in_the_picture_is_the_place_in_the_caption(items):
    for item in items:
        rows, columns = cover(item.image).nonzero().float().add(0.5).div(32).unbind(1)
        distance = {name: (columns.mean() - x) ** 2 + (rows.mean() - y) ** 2 for name, (x, y) in PLACES.items()}
        assert min(distance, key=distance.get) == item.place


def test_the_shape_in_the_picture_is_the_shape_in_the_caption(items):
    """A ring has a hole; of the box around it, a square or circle fills more than a triangle or cross."""
    for item in items:
        rows, columns = cover(item.image).nonzero().unbind(1)
        box = cover(item.image)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].float()
        middle = len(box) // 2
        assert (box[middle, box.shape[1] // 2] == 0) == (item.shape == "ring")
        assert (box.mean() > 0.68) == (item.shape in ("square", "circle")) or item.shape == "ring"
        if item.shape == "triangle":
            assert box[:middle].sum() < box[-middle:].sum()  # it stands on its base


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ("circle", math.pi),
        ("ring", math.pi * (1 - 0.55**2)),
        ("square", 1.8**2),
        ("triangle", 1.8 * 1.8 / 2),
        ("cross", 2 * 2 * 0.6 - 0.6**2),
    ],
)
def test_a_shape_covers_its_area_however_it_is_turned(shape, area):
    for tilt in (0.0, 0.2):
        covered = ColouredShapes()._cover(shape, 0.5, 0.45, radius=0.3, tilt=tilt)
        assert 0 < covered[covered > 0].min() < 1  # smooth edges
        assert covered.mean() == pytest.approx(area * 0.3**2, rel=0.02)


def test_a_batch_is_its_items(items):
    images, captions = ColouredShapes(seed=0).batch(5, 4)
    assert torch.equal(images, torch.stack([item.image for item in items[5:9]]))
    assert captions == [item.caption for item in items[5:9]]


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="seed must be 0 or more, not -1"):
        ColouredShapes(seed=-1)
    with pytest.raises(IndexError, match="count from 0"):
        ColouredShapes()[-1]
    with pytest.raises(ValueError, match="count cannot be 0"):
        ColouredShapes().batch(0, 0)
