"""The stream of batches drops nothing, repeats nothing, and any step can be made again."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.data import ImageSet, Normalisation
from course_utils.training.recipes import Recipe
from course_utils.training.stream import BatchesAhead, BatchStream


def stream_of(n: int, seed: int = 0, **recipe) -> BatchStream:
    images = torch.arange(n * 3 * 8 * 8).remainder(256).to(torch.uint8).reshape(n, 3, 8, 8)
    normalisation = Normalisation((0.5,) * 3, (0.2,) * 3)
    image_set = ImageSet(images, torch.arange(n) % 4, tuple("abcd"), "train", "synthetic", normalisation)
    settings = {"steps": 1, "crop_padding": 1} | recipe
    return BatchStream(image_set, Recipe(**settings), seed, torch.device("cpu"))


@given(n=st.integers(1, 40), batch_size=st.integers(1, 50), passes=st.integers(1, 4))
def test_every_pass_shows_every_image_once(n, batch_size, passes):
    stream = stream_of(n, batch_size=batch_size)
    steps = -(-passes * n // batch_size)
    order = torch.cat([stream.indices(step) for step in range(steps)])
    for start in range(0, passes * n, n):
        assert sorted(order[start : start + n].tolist()) == list(range(n))


def test_passes_are_shuffled_differently_and_by_seed():
    one, other = stream_of(50, batch_size=50), stream_of(50, seed=1, batch_size=50)
    assert one.indices(0).tolist() != one.indices(1).tolist()
    assert one.indices(0).tolist() != other.indices(0).tolist()


def test_a_batch_depends_on_its_step_alone():
    recipe = {"batch_size": 16, "rand_augment_n": 2, "cutmix": 0.5, "mixup": 0.5, "erasing": 0.5}
    forwards, backwards = stream_of(20, **recipe), stream_of(20, **recipe)
    batches = [forwards.batch(step) for step in range(6)]
    torch.rand(7)  # whatever else uses the generator in between
    for step in reversed(range(6)):
        for a, b in zip(batches[step], backwards.batch(step), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize(("mixing", "shape"), [(True, (16, 4)), (False, (16,))])
def test_targets_are_shares_when_mixed_and_classes_when_not(mixing, shape):
    images, targets = stream_of(20, batch_size=16, cutmix=1.0).batch(0, mixing=mixing)
    assert images.shape == (16, 3, 8, 8)
    assert targets.shape == shape


def test_without_mixing_in_the_recipe_targets_stay_classes():
    assert stream_of(20, batch_size=16).batch(0)[1].shape == (16,)


def test_workers_prepare_the_same_batches_ahead_bit_for_bit():
    recipe = {"batch_size": 16, "rand_augment_n": 2, "cutmix": 0.5, "mixup": 0.5, "erasing": 0.5}
    stream = stream_of(20, **recipe)
    ahead = BatchesAhead(lambda step: stream.batch(step, mixing=step < 6))
    prepared = ahead.of_steps(range(2, 9), workers=2, pin_memory=False)
    for step, batch in zip(range(2, 9), prepared, strict=True):
        for a, b in zip(batch, stream.batch(step, mixing=step < 6), strict=True):
            assert torch.equal(a, b)
