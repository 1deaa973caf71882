"""The command line that fine-tunes: which head, which normalisation, what is refused, what can be resumed."""

import json

import pytest
import torch
from picture_folder import CLASSES, write_dark_folder, write_picture_folder

from course_utils import VisionTransformer, ViTConfig
from course_utils.cli import main
from course_utils.data import Normalisation, remember
from course_utils.zoo.weights import load_weights, save_weights, weights_checksum

QUICK = ["--device", "cpu", "--precision", "fp32", "--steps", "2", "--set", "batch_size=8"]
NORMALISATION = Normalisation((0.1, 0.2, 0.3), (0.5, 0.4, 0.3))
CONFIG = ViTConfig(image_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_dark_folder(tmp_path_factory.mktemp("own") / "pets", per_class=8)  # bird, cat, dog


@pytest.fixture
def start(tmp_path):
    """Weights of four classes, and their file."""
    torch.manual_seed(3)
    model = VisionTransformer(CONFIG)
    for parameter in model.parameters():
        parameter.data.normal_(std=0.3)
    remember(model, NORMALISATION, ("v", "w", "x", "y"))
    save_weights(model, tmp_path / "start.safetensors", half=False)
    return tmp_path / "start.safetensors"


def fine_tune(folder, start, runs, *more, name="run"):
    where = ["--runs", str(runs), "--name", name] if name else ["--runs", str(runs)]
    return main(["train", "--data", str(folder), "--start", str(start), *QUICK, *where, *more])


def refusal(capsys, *arguments):
    assert main(["train", *arguments]) == 1
    return capsys.readouterr().err


def test_new_classes_get_a_new_head_and_the_normalisation_stays(folder, start, tmp_path, capsys):
    assert fine_tune(folder, start, tmp_path) == 0
    said = capsys.readouterr().out
    model = load_weights(tmp_path / "run" / "weights.safetensors")
    assert model.classes == ("bird", "cat", "dog")
    assert model.normalisation == NORMALISATION
    assert model.config == CONFIG.replace(num_classes=3)
    assert "its head is new, all zeros" in said
    assert "normalised as that model knows them (mean 0.100, 0.200, 0.300)" in said
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["start"] == {"weights": str(start), "sha256": weights_checksum(start), "head": "new"}
    assert record["recipe"]["layer_decay"] < 1
    assert (tmp_path / "run" / "attention.png").exists()


def test_frozen_blocks_come_out_as_they_went_in(folder, start, tmp_path, capsys):
    assert fine_tune(folder, start, tmp_path, "--freeze", "1") == 0
    before, after = (
        load_weights(start).state_dict(),
        load_weights(tmp_path / "run" / "weights.safetensors").state_dict(),
    )
    same = {name for name in after if torch.equal(after[name], before[name].half().float())}
    frozen = {name for name in after if name.startswith(("embeddings.", "encoder.blocks.0."))}
    assert frozen <= same
    assert "encoder.blocks.1.mlp.fc1.weight" not in same
    count = sum(after[name].numel() for name in after if name not in frozen)
    assert f"{count:,} of {sum(t.numel() for t in after.values()):,} numbers learn" in capsys.readouterr().out


def test_the_same_classes_keep_their_head(folder, tmp_path, capsys, start):
    assert fine_tune(folder, start, tmp_path, name="first") == 0
    first = tmp_path / "first" / "weights.safetensors"
    capsys.readouterr()
    assert fine_tune(folder, first, tmp_path, "--set", "learning_rate=1e-9", "--set", "final_learning_rate=0") == 0
    assert "the classes are the same, so its head stays" in capsys.readouterr().out
    heads = (load_weights(tmp_path / name / "weights.safetensors").head.weight for name in ("first", "run"))
    torch.testing.assert_close(*heads, atol=1e-3, rtol=1e-3)


def test_it_is_resumed_exactly(folder, start, tmp_path):
    assert fine_tune(folder, start, tmp_path, "--freeze", "1", name="whole") == 0
    assert fine_tune(folder, start, tmp_path, "--freeze", "1", "--resume", name="whole") == 0  # finished: nothing to do
    assert fine_tune(folder, start, tmp_path, "--resume", name="whole") == 1  # another recipe


def test_another_start_does_not_go_on(folder, start, tmp_path, capsys):
    assert fine_tune(folder, start, tmp_path) == 0
    other = load_weights(start)
    other.head.weight.data.add_(1)
    save_weights(other, start)
    capsys.readouterr()
    assert fine_tune(folder, start, tmp_path, "--resume") == 1
    assert "its start is" in capsys.readouterr().err


def test_larger_images_and_other_patches(folder, start, tmp_path):
    assert fine_tune(folder, start, tmp_path, "--image-size", "16", "--model-set", "patch_size=8") == 0
    config = load_weights(tmp_path / "run" / "weights.safetensors").config
    assert (config.image_size, config.patch_size) == (16, 8)


def test_a_shipped_name_and_a_messy_folder(tmp_path, capsys):
    messy = write_picture_folder(tmp_path / "my pictures")
    assert fine_tune(messy, "cifar_micro", tmp_path / "runs", "--freeze", "6", name=None) == 0
    said = capsys.readouterr()
    assert "cannot be read and are left out" in said.err
    model = load_weights(tmp_path / "runs" / "cifar_micro-fine-tune-seed0" / "weights.safetensors")
    assert model.classes == tuple(sorted(CLASSES))
    assert load_weights("cifar_micro").normalisation == model.normalisation


def test_the_run_is_named_after_the_folder_of_the_weights(folder, start, tmp_path):
    assert fine_tune(folder, start, tmp_path, name="mine") == 0
    assert fine_tune(folder, tmp_path / "mine" / "weights.safetensors", tmp_path / "runs", name=None) == 0
    assert (tmp_path / "runs" / "mine-fine-tune-seed0" / "weights.safetensors").exists()


def test_checkpointing_changes_nothing(folder, start, tmp_path):
    for name, more in (("plain", ()), ("again", ("--checkpointing",))):
        assert fine_tune(folder, start, tmp_path, *more, name=name) == 0
    one, other = (load_weights(tmp_path / name / "weights.safetensors").state_dict() for name in ("plain", "again"))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--model", "cifar_small"], "--start brings its own model: leave --model and --kind out"),
        (["--model-set", "depth=3"], "--start brings its own depth"),
        (["--model-set", "num_classes=3"], "--start brings its own num_classes"),
        (["--recipe", "cpu-minutes"], "cpu-minutes makes the first layer anew"),
        (["--set", "whitening=0.2"], "fine-tune makes the first layer anew"),
        (["--freeze", "3"], "freeze 3 is more than the 2 blocks"),
        (["--freeze", "-1"], "freeze must be a whole number of at least 0"),
        (["--image-size", "10"], "patch_size 4 does not divide image_size 10x10"),
    ],
)
def test_what_contradicts_the_start_is_refused(more, words, folder, start, capsys):
    assert words in refusal(capsys, "--data", str(folder), "--start", str(start), *more)


def test_to_freeze_random_weights_is_refused(capsys):
    assert "needs --start WEIGHTS" in refusal(capsys, "--freeze", "2")
    assert "needs --start WEIGHTS" in refusal(capsys, "--set", "freeze=2")


def test_a_start_that_is_not_there_is_named(folder, capsys, tmp_path):
    assert "nowhere" in refusal(capsys, "--data", str(folder), "--start", str(tmp_path / "nowhere.safetensors"))
