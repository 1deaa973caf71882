"""The command line with a folder of one's own pictures: train, evaluate, attend; in colour and in grey."""

import io
import json
import shutil

import numpy as np
import pytest
import torch
from picture_folder import CLASSES, write_dark_folder, write_picture_folder
from PIL import Image

from course_utils.cli import main
from course_utils.data import ImageSet, Normalisation, classes_of, normalisation_of
from course_utils.explore import AttentionExplorer
from course_utils.zoo.weights import load_weights

TINY = [f"--model-set={setting}" for setting in ("embed_dim=16", "depth=1", "num_heads=2", "patch_size=4")]
TINY += [f"--set={setting}" for setting in ("early=0", "early_patch_size=0", "batch_size=16", "crop_padding=0")]
TINY += ["--image-size", "8", "--device", "cpu", "--precision", "fp32"]


def train(folder, runs, *more, name="run"):
    """Train on a folder for a few steps, and return the folder of the run."""
    arguments = ["train", "--data", str(folder), *TINY, "--steps", "40", "--runs", str(runs), "--name", name, *more]
    assert main(arguments) == 0
    return runs / name


@pytest.fixture(scope="module", params=[3, 1], ids=["colour", "grey"])
def trained(request, tmp_path_factory):
    """A folder of pictures, in colour or in grey, and the run that learned from it."""
    place = tmp_path_factory.mktemp("own")
    folder = write_dark_folder(place / "pets", request.param)
    return folder, train(folder, place / "runs"), request.param


@pytest.fixture
def weights(trained):
    return trained[1] / "weights.safetensors"


def evaluated(weights, capsys, *more):
    capsys.readouterr()
    assert main(["evaluate", str(weights), *more, "--device", "cpu", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def recorded(run):
    return json.loads((run / "record.json").read_text())


def test_classes_channels_size_and_normalisation_follow_the_pictures(trained, weights):
    folder, run, channels = trained
    record = recorded(run)
    assert record["status"] == "finished"
    assert (record["data"]["source"], record["data"]["name"]) == ("folder", "pets")
    assert record["data"]["images"] == 48
    assert record["config"]["in_channels"] == (3 if channels == 3 else 1)
    assert (record["config"]["image_size"], record["config"]["num_classes"]) == (8, 3)
    assert str(folder) not in json.dumps({**record, "command": ""})
    train_set = ImageSet.from_folder(folder, 8, "train")
    model = load_weights(weights)
    assert normalisation_of(model) == train_set.normalisation == Normalisation(**record["normalisation"])
    assert classes_of(model) == ("bird", "cat", "dog")
    assert {"attention.png", "confusion.png", "curves.png"} <= {path.name for path in run.iterdir()}


def test_evaluate_takes_the_test_tenth_of_the_folder_that_was_learned_from(trained, weights, capsys):
    folder, run, _ = trained
    found, expected = evaluated(weights, capsys, "--data", str(folder)), recorded(run)["test"]
    assert found["data"] == expected["data"]
    assert (found["n"], found["data"]["split"]) == (6, "test")
    assert found["accuracy"] == expected["last_weights"]["accuracy"] > 0.8
    assert found["loss"] == pytest.approx(expected["last_weights"]["loss"], rel=0.01)  # the file has half precision
    assert main(["evaluate", str(weights), "--data", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "folder pets, test split: 6 images" in said
    assert "bird" in said


def test_a_copy_elsewhere_is_the_same_folder_and_another_one_is_all_for_testing(trained, weights, tmp_path, capsys):
    folder, _, channels = trained
    copy = shutil.copytree(folder, tmp_path / "renamed")
    assert evaluated(weights, capsys, "--data", str(copy))["n"] == 6  # its training part is the same
    other = write_dark_folder(tmp_path / "other pets", channels, per_class=5)
    found = evaluated(weights, capsys, "--data", str(other))
    assert (found["n"], found["data"]["split"]) == (15, "all")


def test_a_picture_that_was_added_leaves_it_the_same_folder(trained, weights, tmp_path, capsys):
    folder, _, channels = trained
    more = shutil.copytree(folder, tmp_path / folder.name)  # the same name: it says that it is this folder
    pixels = np.full((16, 16, channels), 25, np.uint8).squeeze()
    Image.fromarray(pixels).save(more / "cat" / "one more.png")
    assert main(["evaluate", str(weights), "--data", str(more), "--json"]) == 0
    out, note = capsys.readouterr()
    found = json.loads(out)
    assert (found["n"], found["data"]["split"]) == (6, "test")
    assert "has changed since the training" in note


def test_weights_of_a_folder_are_not_tested_on_cifar_10(weights, capsys):
    assert main(["evaluate", str(weights), "--sample", "always"]) == 1
    said = capsys.readouterr().err
    assert str(weights) in said
    assert "knows the classes bird, cat, dog, but CIFAR-10 has airplane, automobile, bird, cat, deer, dog, " in said
    assert "(--data FOLDER)" in said


def test_weights_are_not_tested_on_other_classes(weights, tmp_path, capsys):
    folder = write_dark_folder(tmp_path / "pets")
    (folder / "dog").rename(folder / "wolf")
    assert main(["evaluate", str(weights), "--data", str(folder)]) == 1
    said = capsys.readouterr().err
    assert "knows the classes bird, cat, dog, but 'pets' has bird, cat, wolf" in said


def test_attend_takes_pictures_and_folders(trained, weights, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("course_utils.cli.attend.MOST_PICTURES", 3)
    folder, _, _ = trained
    out = tmp_path / "attention.png"
    one = folder / "cat" / "3.png"
    assert main(["attend", str(one), "--weights", str(weights), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "3.png" in said
    assert any(f"says {name}" in said for name in ("bird", "cat", "dog"))
    with Image.open(out) as picture:
        small = picture.size
    assert main(["attend", str(folder / "dog"), "--weights", str(weights), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "20 pictures: the first 3 are drawn." in said
    assert "10.png" in said
    with Image.open(out) as picture:
        assert picture.size > small
    assert main(["attend", str(folder), "--weights", str(weights), "--out", str(out)]) == 0
    assert "60 pictures: the first 3 are drawn." in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert main(["attend", str(tmp_path / "empty"), "--weights", str(weights)]) == 1
    assert "empty' holds no pictures, nor do its subfolders" in capsys.readouterr().err


def test_the_attention_explorer_takes_them_and_a_persons_own(trained, weights):
    folder, _, channels = trained
    images = ImageSet.from_folder(folder, 8, "test")
    explorer = AttentionExplorer.from_model(load_weights(weights), images.images, list("abcdef"))
    assert explorer.images.shape == (6, channels, 8, 8)
    file = io.BytesIO()
    Image.fromarray(np.full((30, 20, 3), (36, 34, 32), np.uint8)).save(file, "PNG")
    explorer.upload = file.getvalue()
    assert explorer.message.startswith("This is your picture")
    assert (explorer.image, explorer.answered, len(explorer.names)) == (6, 6, 7)
    assert explorer.images.shape == (7, channels, 8, 8)
    assert len(explorer.pictures) == 7 * 8 * 8 * 3  # the browser is always given colour
    assert {name for name, _ in explorer.answer} == {"bird", "cat", "dog"}
    assert explorer.picture().get_label()


def test_snapshots_take_them_too(trained, tmp_path):
    folder, _, channels = trained
    run = train(folder, tmp_path, "--snapshots", name="watched")
    from course_utils.analysis.snapshots import load_snapshots

    tensors, _ = load_snapshots(run / "snapshots.safetensors")
    assert tensors["pictures"].shape == (6, channels, 8, 8)


def test_a_folder_as_people_have_them_goes_all_the_way(tmp_path, capsys):
    folder = write_picture_folder(tmp_path / "meine Bilder")
    run = train(folder, tmp_path / "runs")
    said = capsys.readouterr()
    assert "folder meine Bilder, train split: 24 images of 3x8x8 in 3 classes" in said.out
    assert "2 files in 'meine Bilder' cannot be read and are left out" in said.err
    assert classes_of(load_weights(run / "weights.safetensors")) == tuple(sorted(CLASSES))
    assert evaluated(run / "weights.safetensors", capsys, "--data", str(folder))["n"] == 3


@pytest.mark.parametrize("more", [["--root", "somewhere"], ["--sample", "always"], ["--sample", "never"]])
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_folder_and_cifar_10_cannot_both_be_meant(command, more, trained, weights, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    what = ["train", *TINY] if command == "train" else ["evaluate", str(weights)]
    assert main([*what, "--data", str(trained[0]), *more]) == 1
    assert "--data takes a folder of your own, --root and --sample are for CIFAR-10" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_image_size_without_a_folder_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--image-size", "8", "--sample", "always", "--steps", "1"]) == 1
    assert "--image-size resizes the pictures of --data FOLDER; CIFAR-10 stays as it is" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_model_for_other_classes_is_refused_before_anything_is_written(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--data", str(trained[0]), *TINY, "--model-set", "num_classes=7"]) == 1
    said = capsys.readouterr().err
    assert "The images have 3 classes" in said
    assert "make it with num_classes=3" in said
    assert not list(tmp_path.iterdir())


def test_grey_pictures_can_be_asked_for_in_colour(trained, tmp_path):
    folder, _, _ = trained
    run = train(folder, tmp_path, "--steps", "2", "--model-set", "in_channels=3")
    assert recorded(run)["config"]["in_channels"] == 3
    assert load_weights(run / "weights.safetensors")(torch.zeros(1, 3, 8, 8)).shape == (1, 3)
