"""Measurements: what they find on models whose answer is known."""

import json
import math

import pytest
import torch
from torch.utils.benchmark import Timer

from course_utils import VisionTransformer, ViTConfig
from course_utils.analysis.evaluation import accuracy, predict
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.data import load_cifar10, remember
from course_utils.experiments import measurements
from course_utils.experiments.cost import cost
from course_utils.experiments.measurements import Subject, measure
from course_utils.model.counting import count_multiply_adds, count_parameters

CONFIG = ViTConfig(patch_size=8, embed_dim=16, depth=2, num_heads=2)


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch):
    monkeypatch.setattr(measurements, "PICTURES", 12)


def subject(model=None, **config):
    validation_set = load_cifar10("validation", sample="always")
    model = VisionTransformer(CONFIG.replace(**config)) if model is None else model
    remember(model, validation_set.normalisation, validation_set.classes)
    return Subject(model, validation_set, 8, "fp32")


def test_everything_measured_goes_into_json_by_layer_and_head():
    found = measure(("attention_distance", "attention_entropy", "position_similarity", "deletion_test"), subject())
    assert json.loads(json.dumps(found)) == found
    assert torch.tensor(found["attention_distance"]).shape == (2, 2)
    assert len(found["position_similarity"]) == 3  # 1, 2 and 3 patches apart on a grid of 4
    # untrained, all 17 tokens get about the same
    assert found["attention_entropy"][0][0] == pytest.approx(math.log(17), abs=0.01)


def test_numbers_are_kept_with_five_digits(monkeypatch):
    monkeypatch.setitem(measurements.MEASUREMENTS, "speed", lambda _: {"a": [1 / 3, [200 / 3]]})
    assert measure(("speed",), subject()) == {"speed": {"a": [0.33333, [66.667]]}}


def test_position_similarity_is_the_mean_over_pairs_in_one_row_or_column():
    given = subject()
    with torch.no_grad():  # the code of a patch says its row, so along a row all are alike, along a column none
        given.model.embeddings.position_code.zero_()
        for row in range(4):
            given.model.embeddings.position_code[0, 1 + 4 * row : 5 + 4 * row, row] = 1
    assert measurements.position_similarity(given) == [0.5, 0.5, 0.5]


def test_a_model_without_what_is_measured_is_named():
    with pytest.raises(ValueError, match="'rotary' are not learned"):
        measurements.position_similarity(subject(position="rotary"))
    with pytest.raises(ValueError, match="SmallCNN has no attention"):
        measurements.attention_distance(subject(SmallCNN(CNNConfig(width=4))))


@pytest.mark.parametrize("pooling", ["class_token", "mean"])
def test_the_deletion_test_finds_nothing_in_a_model_that_sees_nothing(pooling):
    given = subject(pooling=pooling)
    with torch.no_grad():
        given.model.head.weight.zero_()
    found = measurements.deletion_test(given)
    names = {"last layer", "rollout", "gradient-weighted", "middle first", "random order"}
    assert found.keys() == names | {"fractions"}
    for name in names:
        assert found[name]["curve"] == pytest.approx([0.1] * 11)
        assert found[name]["area"] == pytest.approx(0.1)
        assert found[name]["standard_error"] < 1e-6


def test_middle_first_takes_the_middle():
    """A model that counts the mean colour of the four patches in the middle loses all of it at 4 of 16."""

    class Middle(VisionTransformer):
        def forward(self, images):
            brightness = images[:, :, 8:24, 8:24].abs().mean(dim=(1, 2, 3))  # (B,)
            return torch.stack([50 * brightness, torch.ones_like(brightness)], dim=1)

    found = measurements.deletion_test(subject(Middle(CONFIG)))
    quarter = next(index for index, share in enumerate(found["fractions"]) if share >= 0.25)
    assert found["middle first"]["curve"][0] > 0.99
    assert found["middle first"]["curve"][quarter] == pytest.approx(1 / (1 + math.e), abs=1e-4)
    assert found["random order"]["curve"][quarter] > 0.9


def test_speed_is_positive_the_model_unchanged_and_memory_grows_with_the_tokens(monkeypatch):
    monkeypatch.setattr(Timer, "blocked_autorange", lambda self, min_run_time: self.timeit(2))
    few, many = subject(), subject(patch_size=4)
    before = {name: value.clone() for name, value in few.model.state_dict().items()}
    found = [measurements.speed(each) for each in (few, many)]
    assert all(each[key] > 0 for each in found for key in ("training images a second", "inference images a second"))
    assert all(torch.equal(value, before[name]) for name, value in few.model.state_dict().items())
    # per block at least: two norms, q, k, v, attention, projection, MLP; 8 images, 17 or 65 tokens of width 16
    few_bytes, many_bytes = (each["memory in MB"] * 1e6 for each in found)
    assert few_bytes > 2 * 8 * 17 * 16 * 4 * 8
    assert 3 < many_bytes / few_bytes < 5


def test_the_counter_finds_what_the_formulas_say():
    model = VisionTransformer(CONFIG)
    assert cost(model, (3, 32, 32)) == {
        "parameters": sum(count_parameters(CONFIG).values()),
        "multiply_adds": sum(count_multiply_adds(CONFIG).values()),
    }
    assert model.training  # it is given back as it was


def test_at_its_own_size_the_accuracy_is_the_usual_one_and_only_sizes_that_fit_are_tried():
    given = subject()
    found = measurements.accuracy_at_other_sizes(given)
    assert list(found) == ["24 pixels", "32 pixels", "48 pixels", "64 pixels"]
    images = given.validation_set
    assert found["32 pixels"] == accuracy(predict(given.model, images.images), images.labels)
    assert list(measurements.accuracy_at_other_sizes(subject(patch_size=16))) == ["32 pixels", "48 pixels", "64 pixels"]


def test_the_enlarged_images_are_seen_by_the_enlarged_model(monkeypatch):
    given, seen = subject(position="relative"), []

    def watched(model, images):
        seen.append((model.config.image_height, tuple(images.shape[2:])))
        return torch.zeros(len(images), 10)

    monkeypatch.setattr(measurements, "predict", watched)
    measurements.accuracy_at_other_sizes(given)
    assert seen == [(side, (side, side)) for side in (24, 32, 48, 64)]
