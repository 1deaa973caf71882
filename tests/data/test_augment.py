from __future__ import annotations

import dataclasses
import json
import os
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import v2

from course_utils.data import (
    CIFAR10_NORMALISATION,
    Augmentation,
    Normalisation,
    classes_of,
    load_cifar10,
    mix,
    normalisation_of,
    patterns,
    rand_augment,
    random_crop_flip,
    random_erasing,
    remember,
)
from course_utils.data.rand_augment import rand_augment_operations

NORMALISE = CIFAR10_NORMALISATION
FULL = os.environ.get("CIFAR10_ROOT")


def noise(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


# ---- normalisation


def test_normalisation_by_hand():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    result = Normalisation(mean=(0.5, 0.2, 0.5), std=(0.5, 0.1, 0.25))(images)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.flatten(), torch.tensor([-1.0, 0.0, 2.0]))


def test_normalised_images_have_mean_0_and_std_1():
    images = noise(50, 3, 8, 8)
    images[:, 1] //= 3
    result = Normalisation.of(images)(images)
    torch.testing.assert_close(result.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(result.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_the_normalisation_of_images_takes_grey_ones_and_needs_some():
    images = patterns(40, seed=0).images
    found = Normalisation.of(images)
    pixels = images.double() / 255
    assert found.mean == pytest.approx([pixels.mean().item()], abs=1e-12)
    assert found.std == pytest.approx([pixels.std(correction=0).item()], abs=1e-12)
    with pytest.raises(ValueError, match="no images"):
        Normalisation.of(images[:0])


def test_a_channel_that_is_the_same_everywhere_becomes_0():
    images = noise(5, 2, 4, 4)
    images[:, 1] = 77
    normalisation = Normalisation.of(images)
    assert normalisation.std[1] == 1
    torch.testing.assert_close(normalisation(images)[:, 1], torch.zeros(5, 4, 4))


def test_no_normalisation_leaves_pixels_between_0_and_1():
    images = noise(2, 3, 4, 4)
    assert torch.equal(Normalisation.none(3)(images), images.float() / 255)


def test_a_normalisation_survives_json():
    written = json.dumps(dataclasses.asdict(CIFAR10_NORMALISATION))
    assert Normalisation(**json.loads(written)) == CIFAR10_NORMALISATION


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ((), (), "one number a channel each, not 0 and 0"),
        ((0.5, 0.5), (0.2,), "one number a channel each, not 2 and 1"),
        ((0.5,), (0.0,), "above 0"),
        ((0.5,), (float("nan"),), "finite"),
        ((float("inf"),), (0.2,), "finite"),
    ],
)
def test_a_normalisation_that_cannot_be_is_refused(mean, std, message):
    with pytest.raises(ValueError, match=message):
        Normalisation(mean, std)


def test_a_model_keeps_normalisation_and_classes_and_says_if_it_knows_none():
    model = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="This Linear does not know how its images are normalised"):
        normalisation_of(model)
    with pytest.raises(ValueError, match="This Linear does not know what its classes are called"):
        classes_of(model)
    remember(model, CIFAR10_NORMALISATION, ["a", "b"])
    assert normalisation_of(model) == CIFAR10_NORMALISATION
    assert classes_of(model) == ("a", "b")
    assert set(model.state_dict()) == {"weight", "bias"}


def test_the_known_normalisation_fits_the_sample():
    found = Normalisation.of(load_cifar10("trainval", sample="always").images)
    assert found.mean == pytest.approx(CIFAR10_NORMALISATION.mean, abs=0.01)
    assert found.std == pytest.approx(CIFAR10_NORMALISATION.std, abs=0.01)


@pytest.mark.skipif(not FULL, reason="CIFAR10_ROOT does not name the whole data set")
def test_the_known_normalisation_is_that_of_the_whole_data_set():
    found = Normalisation.of(load_cifar10("trainval", FULL, sample="never").images)
    assert found.mean == pytest.approx(CIFAR10_NORMALISATION.mean, abs=5e-5)
    assert found.std == pytest.approx(CIFAR10_NORMALISATION.std, abs=5e-5)


# ---- crop and flip


def every_crop(image, padding, mode):
    """List all crops of one image (C, H, W), straight and mirrored, made the plain way."""
    _, height, width = image.shape
    padded = F.pad(image[None].double(), (padding,) * 4, mode=mode)[0]
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            crop = padded[:, top : top + height, left : left + width]
            yield from (crop, crop.flip(-1))


@pytest.mark.parametrize("mode", ["reflect", "constant"])
def test_every_image_gets_one_of_the_possible_crops(mode):
    images = noise(30, 3, 6, 8) // 2 + 1  # no zeros of its own
    torch.manual_seed(0)
    for image, result in zip(images, random_crop_flip(images, padding=3, mode=mode), strict=True):
        assert any(torch.equal(result.double(), crop) for crop in every_crop(image, 3, mode))


def test_crops_and_flips_are_all_equally_likely():
    image = noise(3, 5, 5)
    crops = {crop.to(torch.uint8).numpy().tobytes(): 0 for crop in every_crop(image, 1, "reflect")}
    assert len(crops) == 18
    torch.manual_seed(0)
    for result in random_crop_flip(image.expand(3600, -1, -1, -1), padding=1):
        crops[result.numpy().tobytes()] += 1
    assert min(crops.values()) > 140  # 200 expected, standard deviation 14
    assert max(crops.values()) < 260


def test_without_flip_no_image_is_mirrored_and_the_crops_stay():
    images = noise(40, 3, 8, 8)
    torch.manual_seed(0)
    straight = random_crop_flip(images, flip=False)
    torch.manual_seed(0)
    either = random_crop_flip(images)
    same = (straight == either).flatten(1).all(1)
    mirrored = (straight == either.flip(-1)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert same.any()
    assert mirrored.any()
    assert torch.equal(random_crop_flip(images, padding=0, flip=False), images)
    torch.manual_seed(0)
    assert torch.equal(Augmentation(NORMALISE, flip=False)(images), NORMALISE(straight))


def test_floats_are_moved_like_bytes():
    images = noise(20, 3, 8, 8)
    torch.manual_seed(3)
    as_bytes = random_crop_flip(images)
    torch.manual_seed(3)
    as_floats = random_crop_flip(images.double())
    assert as_bytes.dtype == torch.uint8
    assert as_floats.dtype == torch.float64
    assert torch.equal(as_bytes.double(), as_floats)


@given(st.integers(1, 3), st.integers(1, 4), st.integers(2, 9), st.integers(2, 9), st.data())
def test_shapes_stay_and_no_colour_appears(batch, channels, height, width, data):
    padding = data.draw(st.integers(0, min(height, width) - 1))
    images = noise(batch, channels, height, width)
    result = random_crop_flip(images, padding)
    assert result.shape == images.shape
    for before, after in zip(images.flatten(0, 1), result.flatten(0, 1), strict=True):
        assert set(after.flatten().tolist()) <= set(before.flatten().tolist())


# ---- random erasing


def test_erasing_paints_rectangles_within_the_bounds():
    images = torch.ones(300, 3, 32, 32)
    torch.manual_seed(0)
    result = random_erasing(images, 1.0, area=(0.1, 0.2), ratio=(0.5, 2.0), value=-7.0)
    erased = result[:, 0] == -7
    assert torch.equal(erased[:, None].expand_as(result), result == -7)  # the same in all channels
    for each in erased:
        rows, columns = each.any(1), each.any(0)
        assert torch.equal(each, rows[:, None] & columns)  # a filled rectangle
        assert rows.nonzero().flatten().diff().eq(1).all()
        assert columns.nonzero().flatten().diff().eq(1).all()
        assert 0.085 < each.float().mean() < 0.22  # rounding to whole pixels
        assert 0.45 < rows.sum() / columns.sum() < 2.2
    assert len({each.numpy().tobytes() for each in erased}) > 250
    assert erased.any(0).all()  # every pixel can be reached


def test_erasing_hits_the_asked_share():
    images = noise(2000, 1, 8, 8) // 2 + 1
    torch.manual_seed(0)
    changed = (random_erasing(images, 0.25) != images).flatten(1).any(1)
    assert 430 < changed.sum() < 570  # 500 expected, standard deviation 19
    assert torch.equal(random_erasing(images, 0.0), images)


def test_erasing_an_image_that_is_too_flat_for_the_rectangle():
    torch.manual_seed(0)
    result = random_erasing(torch.ones(50, 1, 2, 32), 1.0, area=(0.5, 0.5), ratio=(4.0, 4.0))
    assert (result == 0).flatten(1).any(1).all()


# ---- RandAugment


def test_operations_are_those_of_torchvision():
    images = noise(3, 3, 32, 32)
    reference = v2.RandAugment()
    assert set(rand_augment_operations(9, 32, 32)) == set(reference._AUGMENTATION_SPACE)
    for m in (0, 4, 9, 30):
        for name, operation in rand_augment_operations(m, 32, 32).items():
            magnitudes, signed = reference._AUGMENTATION_SPACE[name]
            values = magnitudes(31, 32, 32)
            for sign in (1, -1) if signed else (1,):
                magnitude = 0.0 if values is None else sign * float(values[m])
                expected = [
                    reference._apply_image_or_video_transform(
                        image, name, magnitude, v2.InterpolationMode.NEAREST, reference._fill
                    )
                    for image in images
                ]
                difference = (operation(images, sign).int() - torch.stack(expected).int()).abs().max()
                # torchvision has its factors in float32: a colour may be rounded the other way.
                assert difference <= (name in ("Brightness", "Color", "Contrast", "Sharpness")), (name, m, sign)


def test_rand_augment_treats_each_image_alone():
    images = noise(40, 3, 16, 16)
    torch.manual_seed(0)
    results = rand_augment(images, n=1, m=12)
    operations = rand_augment_operations(12, 16, 16).values()
    for image, result in zip(images, results, strict=True):
        alone = [operation(image[None], sign)[0] for operation in operations for sign in (1, -1)]
        assert any(torch.equal(result, candidate) for candidate in alone)


def test_rand_augment_draws_for_each_image_and_uses_every_operation():
    image = noise(3, 16, 16)
    torch.manual_seed(0)
    results = rand_augment(image.expand(1000, -1, -1, -1), n=1, m=12)
    found = {result.numpy().tobytes() for result in results}
    possible = {
        operation(image[None], sign)[0].numpy().tobytes()
        for operation in rand_augment_operations(12, 16, 16).values()
        for sign in (1, -1)
    }
    assert found == possible
    torch.manual_seed(0)
    assert len({result.numpy().tobytes() for result in rand_augment(image.expand(300, -1, -1, -1), n=2, m=12)}) > 100


def test_rand_augment_with_nothing_to_do_and_with_grey_images():
    images = noise(4, 3, 8, 8)
    assert torch.equal(rand_augment(images, n=0), images)
    assert rand_augment(images[:, :1], n=3, m=20).shape == (4, 1, 8, 8)


# ---- mixing


def test_cutmix_pastes_a_rectangle_and_shares_the_label():
    images, labels = torch.arange(1.0, 9).view(8, 1, 1, 1).expand(8, 3, 10, 10), torch.arange(8)
    for seed in range(20):
        torch.manual_seed(seed)
        mixed, targets = mix(images, labels, 8, cutmix_probability=1.0)
        own = mixed == images
        assert torch.equal(torch.where(own, images, images.roll(1, 0)), mixed)
        torch.testing.assert_close(targets[labels, labels], own.float().mean((1, 2, 3)))
        torch.testing.assert_close(targets.sum(1), torch.ones(8))


def test_mixup_adds_two_images_and_shares_the_label():
    images, labels = torch.rand(8, 3, 10, 10), torch.arange(8)
    torch.manual_seed(0)
    mixed, targets = mix(images, labels, 9, cutmix_probability=0.0, mixup_probability=1.0, mixup_alpha=0.8)
    share = targets[0, 0]
    assert 0 < share < 1
    torch.testing.assert_close(mixed, share * images + (1 - share) * images.roll(1, 0))
    torch.testing.assert_close(targets, share * F.one_hot(labels, 9) + (1 - share) * F.one_hot(labels.roll(1), 9))


@pytest.mark.parametrize(("alpha", "low", "high"), [(1000.0, 0.4, 0.5), (0.01, 0.0, 0.1)])
def test_mixup_alpha_decides_how_evenly_images_are_mixed(alpha, low, high):
    torch.manual_seed(0)
    rounds = [mix(torch.rand(2, 1, 4, 4), torch.arange(2), 2, 0.0, 1.0, alpha)[1].min() for _ in range(50)]
    assert low <= torch.stack(rounds).median() <= high


def test_without_mixing_the_targets_are_one_hot():
    images, labels = torch.rand(4, 3, 8, 8), torch.tensor([2, 0, 1, 1])
    mixed, targets = mix(images, labels, 3, cutmix_probability=0.0)
    assert torch.equal(mixed, images)
    assert torch.equal(targets, torch.eye(3)[labels])
    assert targets.dtype == torch.float32


def test_one_kind_of_mixing_a_batch_as_often_as_asked():
    images, labels = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1).expand(2, 1, 8, 8), torch.arange(2)
    counts = {"none": 0, "cutmix": 0, "mixup": 0}
    torch.manual_seed(0)
    for _ in range(600):
        mixed, targets = mix(images, labels, 2, cutmix_probability=0.5, mixup_probability=0.25, mixup_alpha=1.0)
        kind = "none" if torch.equal(targets, torch.eye(2)) else "mixup" if (mixed % 1 != 0).any() else "cutmix"
        if kind == "mixup":
            assert len(mixed[0].unique()) == 1  # the same weight everywhere: no rectangle as well
        counts[kind] += 1
    # A rectangle of no pixels looks like no mixing at all, so CutMix is seen a little less often.
    assert 230 < counts["cutmix"] < 350
    assert 110 < counts["mixup"] < 190


# ---- chance


CHANCES = {
    "crop and flip": lambda images: random_crop_flip(images),
    "erasing": lambda images: random_erasing(images, 0.5),
    "RandAugment": lambda images: rand_augment(images, 2, 9),
    "mix": lambda images: torch.cat(
        [each.flatten() for each in mix(NORMALISE(images), torch.arange(32), 32, 0.5, 0.5)]
    ),
    "all": Augmentation(NORMALISE, rand_augment_n=2, erasing_probability=0.5),
}


@pytest.mark.parametrize("name", CHANCES)
def test_chance_comes_from_the_global_generator_alone(name):
    images = noise(32, 3, 16, 16)
    results = []
    for torch_seed, other_seed in [(5, 0), (5, 1), (6, 1)]:
        torch.manual_seed(torch_seed)
        random.seed(other_seed)
        np.random.seed(other_seed)  # noqa: NPY002
        results.append(CHANCES[name](images))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[1], results[2])


@pytest.mark.parametrize("name", ["crop and flip", "erasing", "RandAugment", "all"])
def test_each_image_of_a_batch_has_its_own_draw(name):
    same = noise(3, 16, 16).expand(64, -1, -1, -1)
    torch.manual_seed(0)
    assert len({result.numpy().tobytes() for result in CHANCES[name](same)}) > 20


@pytest.mark.parametrize("name", CHANCES)
def test_the_images_given_are_left_as_they_are(name):
    images = noise(32, 3, 16, 16)
    before = images.clone()
    CHANCES[name](images)
    assert torch.equal(images, before)


# ---- all together


def test_augmentation_is_its_steps_in_order():
    images = noise(16, 3, 32, 32)
    augment = Augmentation(
        NORMALISE, rand_augment_n=1, rand_augment_m=5, erasing_probability=0.5, padding=2, mode="constant"
    )
    torch.manual_seed(0)
    result = augment(images)
    torch.manual_seed(0)
    expected = random_erasing(NORMALISE(rand_augment(random_crop_flip(images, 2, "constant"), 1, 5)), 0.5)
    assert torch.equal(result, expected)
    assert (result.dtype, result.shape) == (torch.float32, images.shape)


def test_augmentation_can_be_written_down():
    augment = Augmentation(NORMALISE, rand_augment_n=2)
    written = json.loads(json.dumps(dataclasses.asdict(augment)))
    written["normalisation"] = Normalisation(**written["normalisation"])
    assert Augmentation(**written) == augment


def test_the_default_is_crop_and_flip_only():
    images = noise(16, 3, 32, 32)
    torch.manual_seed(0)
    result = Augmentation(NORMALISE)(images)
    torch.manual_seed(0)
    assert torch.equal(result, NORMALISE(random_crop_flip(images)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: NORMALISE(torch.zeros(2, 3, 4, 4)), "uint8 images, not torch.float32"),
        (lambda: NORMALISE(noise(2, 1, 4, 4)), "for 3 channels, not for 1"),
        (lambda: NORMALISE(noise(3, 4, 4)), r"shape \(B, C, H, W\), not \(3, 4, 4\)"),
        (lambda: random_crop_flip(noise(2, 3, 4, 4)), r"smaller than the image \(4x4\), not 4"),
        (lambda: random_crop_flip(noise(2, 3, 4, 4), -1), "0 or more .* not -1"),
        (lambda: random_crop_flip(noise(2, 3, 9, 9), mode="edge"), "'reflect' or 'constant', not 'edge'"),
        (lambda: random_erasing(noise(2, 3, 4, 4), 1.1), "between 0 and 1, not 1.1"),
        (lambda: rand_augment(torch.zeros(2, 3, 4, 4)), r"uint8 images .* not torch.float32"),
        (lambda: rand_augment(noise(3, 4, 4)), r"not torch.uint8 of \(3, 4, 4\)"),
        (lambda: rand_augment(noise(2, 3, 4, 4), n=-1), "n=-1"),
        (lambda: rand_augment(noise(2, 3, 4, 4), m=31), "m from 0 to 30, not n=2 and m=31"),
        (lambda: mix(noise(2, 3, 4, 4), torch.arange(2), 2), "float images, not torch.uint8: normalise them first"),
        (lambda: mix(torch.zeros(2, 3, 4, 4), torch.arange(2), 2, 0.6, 0.5), "at most 1, not 0.6 and 0.5"),
        (lambda: mix(torch.zeros(2, 3, 4, 4), torch.arange(2), 2, -0.1), "0 or more"),
    ],
)
def test_bad_input_gets_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
