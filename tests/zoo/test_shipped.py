"""The weights that ship are what their record says they are."""

import os
from pathlib import Path

import pytest
import torch
from ship_run import on_sample

from course_utils.analysis.evaluation import accuracy, predict
from course_utils.analysis.snapshots import RESULTS_FOLDER, load_snapshots
from course_utils.beyond.flexivit import CIFAR_FLEXI, FlexiViTConfig
from course_utils.data import find_local, load_cifar10
from course_utils.model.config import ViTConfig
from course_utils.support.files import ASSETS
from course_utils.zoo.weights import encoder_names, load_pretrained, load_weights, pretrained_names, read_record

ROOT = Path(__file__).parents[2]


def accuracy_on(name, part, **where):
    recorded, test_set = read_record(name)["test"][part]["accuracy"], load_cifar10("test", **where)
    return accuracy(predict(load_pretrained(name), test_set.images), test_set.labels), recorded


@pytest.mark.parametrize("name", pretrained_names())
def test_on_the_sample_the_accuracy_is_the_recorded_one(name):
    found, recorded = accuracy_on(name, "last_weights_on_sample", sample="always")
    assert found == pytest.approx(recorded, abs=0.0021)  # other machines round differently: two images of 1,000


@pytest.mark.skipif("CIFAR10_ROOT" not in os.environ or not find_local(), reason="needs the whole CIFAR-10")
@pytest.mark.parametrize("name", pretrained_names())
def test_on_the_whole_test_set_the_accuracy_is_the_recorded_one_to_the_digit(name):
    found, recorded = accuracy_on(name, "last_weights", sample="never")
    assert found == recorded


@pytest.mark.parametrize("name", encoder_names())
def test_what_learned_without_labels_does_on_the_sample_what_is_recorded(name):
    assert on_sample(load_weights(name)) == pytest.approx(read_record(name)["on_sample"], rel=0.01)


def test_the_readme_quotes_the_record():
    recorded = read_record("cifar_small")
    assert recorded["data"]["source"] == "official"
    assert recorded["environment"]["threads"] == 1
    minutes, share = recorded["seconds"] / 60, recorded["test"]["last_weights"]["accuracy"]
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())  # wherever its lines end
    assert f"trained for {minutes:.0f} minutes on one CPU core ({share:.0%} on CIFAR-10)" in readme
    deep = read_record("cifar_deep")
    assert deep["environment"]["device"].startswith("cuda")
    minutes, share = deep["seconds"] / 60, deep["test"]["last_weights"]["accuracy"]
    assert f"`cifar_deep`, {minutes:.0f} minutes on one GPU ({share:.1%} on CIFAR-10)" in readme


WATCHED = [path.stem.removesuffix("_snapshots") for path in RESULTS_FOLDER.glob("*_snapshots.safetensors")]


@pytest.mark.parametrize("name", WATCHED)
def test_the_snapshots_are_of_the_run_that_made_the_weights(name):
    snapshots, run = load_snapshots(name)
    recorded = read_record(name)
    for part in ("config", "recipe", "seed", "data", "environment", "epochs"):
        assert run[part] == recorded[part]
    assert len(snapshots["epochs"]) == len(recorded["epochs"]) + 1
    model = load_pretrained(name)
    logits = predict(model, snapshots["pictures"])
    torch.testing.assert_close(logits, snapshots["logits"][-1], rtol=0, atol=0.01)  # the weights ship in half precision
    assert torch.equal(model.embeddings.position_code[0].half(), snapshots["positions"][-1])


@pytest.mark.parametrize("name", pretrained_names())
def test_the_weights_have_the_size_that_their_name_promises(name):
    config = load_pretrained(name).config
    kinds_own = CIFAR_FLEXI if isinstance(config, FlexiViTConfig) else type(config)()
    assert config == (ViTConfig.preset(name) if type(config) is ViTConfig else kinds_own)


def test_what_ships_is_small():
    files = [path for path in ASSETS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 40_000_000
