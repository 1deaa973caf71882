"""Random views: what part of the image they show, and what happens to its colours."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms.v2 import functional as tv

from course_utils.data.views import random_colours, random_resized_crop, random_views


def ramps(batch, height=32, width=24):
    """Images whose first channel is the column and whose second is the row, in pixels."""
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([columns, rows, columns * 0]).expand(batch, -1, -1, -1)


def test_a_view_of_the_whole_image_is_pytorchs_resize_and_half_are_mirrored():
    images = torch.rand(400, 3, 12, 12)
    for size in (12, 6, 20):
        views = random_resized_crop(images, size, (1.0, 1.0), (1.0, 1.0))
        plain = F.interpolate(images, (size, size), mode="bilinear", align_corners=False)
        as_is = torch.isclose(views, plain, atol=1e-4).all(dim=(1, 2, 3))
        mirrored = torch.isclose(views, plain.flip(3), atol=1e-4).all(dim=(1, 2, 3))
        assert (as_is ^ mirrored).all()
        assert 140 < mirrored.sum() < 260  # six standard deviations


def test_a_view_shows_as_much_as_it_should_and_no_more_than_there_is():
    views = random_resized_crop(ramps(1000), 8, (0.2, 0.5))
    wide = (views[:, 0, 0, 0] - views[:, 0, 0, -1]).abs() * 8 / 7  # from the middle of the first pixel to the last's
    tall = (views[:, 1, -1, 0] - views[:, 1, 0, 0]) * 8 / 7
    inside = (views[:, 0].amin(dim=(1, 2)) > 0.5) & (views[:, 0].amax(dim=(1, 2)) < 23.5)  # nothing met the border
    inside &= (views[:, 1].amin(dim=(1, 2)) > 0.5) & (views[:, 1].amax(dim=(1, 2)) < 31.5)
    assert inside.sum() > 500
    share, form = (wide * tall / (32 * 24))[inside], (wide / tall)[inside]
    assert 0.195 < share.min() < 0.23
    assert 0.47 < share.max() < 0.505
    assert 0.74 < form.min() < 0.8
    assert 1.25 < form.max() < 1.35
    assert views.min() >= 0
    assert views[:, 1].max() <= 32


def test_colours_change_as_in_torchvision():
    images = 100 + 40 * torch.rand(6, 3, 5, 7)  # far from 0 and 255, where both would cut
    torch.manual_seed(3)
    found = random_colours(images, 0.2, probability=0.7, grey=0.0)
    torch.manual_seed(3)
    changes = 1 + 0.2 * (2 * torch.rand(3, 6) - 1) * (torch.rand(6) < 0.7)
    for number in range(6):
        image = images[number] / 255
        for change, adjust in zip(
            changes[:, number].tolist(), (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation), strict=True
        ):
            image = adjust(image, change)
        assert torch.allclose(found[number] / 255, image, atol=2e-4)  # their weights of the channels are rounded


def test_colours_stay_without_strength_and_vanish_with_grey():
    images = 255 * torch.rand(50, 3, 6, 6)
    assert torch.allclose(random_colours(images, 0.0, grey=0.0), images, atol=1e-3)
    grey = random_colours(images, grey=1.0)
    assert torch.allclose(grey[:, 0], grey[:, 1], atol=1e-3)
    assert torch.allclose(grey[:, 0], grey[:, 2], atol=1e-3)
    some = random_colours(images, 0.0, grey=0.5)
    changed = (some - images).abs().amax(dim=(1, 2, 3)) > 1
    assert 5 < changed.sum() < 45


def test_views_of_one_image_stand_side_by_side():
    images = torch.arange(4, dtype=torch.uint8).mul(60).view(4, 1, 1, 1).expand(-1, 3, 8, 8)
    views = random_views(images, 3, 4, (0.3, 1.0), colours=False)
    assert (views.shape, views.dtype) == ((4, 3, 3, 4, 4), torch.uint8)
    assert torch.equal(views, images[:, None, :, :4, :4].expand_as(views))
    torch.manual_seed(1)
    one = random_views(torch.randint(0, 255, (4, 3, 8, 8), dtype=torch.uint8), 2, 4, (0.3, 1.0))
    torch.manual_seed(1)
    assert torch.equal(random_views(torch.randint(0, 255, (4, 3, 8, 8), dtype=torch.uint8), 2, 4, (0.3, 1.0)), one)
    assert not torch.equal(one[:, 0], one[:, 1])


def test_grey_images_keep_their_one_channel():
    views = random_views(torch.randint(0, 255, (4, 1, 8, 8), dtype=torch.uint8), 2, 8, (0.3, 1.0))
    assert views.shape == (4, 2, 1, 8, 8)


@pytest.mark.parametrize("scale", [(0.0, 1.0), (0.5, 0.4), (0.5, 1.1)])
def test_a_scale_that_cannot_be_is_refused(scale):
    with pytest.raises(ValueError, match="scale must be two numbers above 0 and up to 1"):
        random_resized_crop(torch.rand(1, 3, 8, 8), 4, scale)
