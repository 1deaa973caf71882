"""The command line does its main job from end to end, and says in one sentence what is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_run import TINY

from course_utils.cli import main, options
from course_utils.cli.options import unused
from course_utils.data import Normalisation
from course_utils.support.files import load_tensors
from course_utils.training import checkpoints
from course_utils.zoo.weights import load_weights, read_record


def test_train_writes_record_weights_and_pictures(run_dir):
    record = json.loads((run_dir / "record.json").read_text())
    assert record["status"] == "finished"
    assert record["data"]["source"] == "sample"
    assert record["test"]["data"]["images"] == 1000
    assert {"last_weights", "average_weights"} <= set(record["test"])
    for name in ("curves", "classes", "confusion", "calibration", "mistakes", "attention"):
        with Image.open(run_dir / f"{name}.png") as picture:
            assert min(picture.size) > 200
            assert len(set(picture.convert("L").resize((32, 32)).tobytes())) > 5  # not an empty page
    assert read_record(run_dir / "weights.safetensors")["seed"] == 0
    assert not torch.equal(
        load_weights(run_dir / "weights.safetensors").head.weight,
        load_weights(run_dir / "weights_average.safetensors").head.weight,
    )


def test_evaluate_gives_the_recorded_accuracy_to_the_digit(run_dir, capsys):
    recorded = json.loads((run_dir / "record.json").read_text())["test"]["last_weights"]
    assert main(["evaluate", str(run_dir / "weights.safetensors"), "--sample", "always", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"] == recorded["accuracy"]
    assert found["confusion"] == recorded["confusion"]
    assert main(["evaluate", str(run_dir / "weights.safetensors"), "--sample", "always"]) == 0
    said = capsys.readouterr().out
    assert f"test accuracy {recorded['accuracy']:.2%}" in said
    assert "airplane" in said


def test_attend_draws_a_persons_own_pictures(run_dir, tmp_path, capsys):
    names = []
    for name, colour in (("red.png", "red"), ("blue.jpg", "blue")):
        Image.new("RGB", (90, 60), colour).save(tmp_path / name)
        names.append(str(tmp_path / name))
    out = tmp_path / "out.png"
    assert main(["attend", *names, "--weights", str(run_dir / "weights.safetensors"), "--out", str(out)]) == 0
    assert "red.png" in capsys.readouterr().out
    with Image.open(out) as picture:
        assert picture.size[0] > 500


def test_a_second_run_of_the_same_name_gets_a_folder_of_its_own(run_dir):
    assert unused(run_dir) == run_dir.with_name("tiny-2")


def test_doctor_says_whether_the_course_can_run(capsys, monkeypatch):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "All is well" in said
    assert f"torch        {torch.__version__.split('+')[0]}" in said
    monkeypatch.setattr("course_utils.doctor.check_environment", lambda: False)
    assert main(["doctor"]) == 1


def test_data_says_what_there_is_and_checks_the_constants(capsys, monkeypatch):
    assert main(["data", "--sample", "always", "--normalisation"]) == 0
    said = capsys.readouterr().out
    assert "4,500 images" in said
    assert "mean computed" in said
    wrong = Normalisation((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))  # often copied
    monkeypatch.setattr("course_utils.data.CIFAR10_NORMALISATION", wrong)
    assert main(["data", "--sample", "always", "--normalisation"]) == 1
    assert "std in use does not fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--model", "vit_giant"], "no preset 'vit_giant'"),
        (["train", "--recipe", "magic"], "no recipe 'magic'"),
        (["train", "--set", "learning_rate"], "NAME=VALUE"),
        (["train", "--set", "learning_rat=1"], "no setting named learning_rat"),
        (["train", "--model-set", "patch_size=5"], "patch_size 5 does not divide"),
        (["train", "--model-set", "position=rotaty"], "or 'relative', not 'rotaty'"),
        (["train", "--device", "tpu", "--sample", "always"], "tpu"),
        (["train", "--epochs", "1", "--steps", "1"], "one budget"),
        (["train", "--snapshots"], "add --set early=0 --set early_patch_size=0"),
        (["evaluate", "nowhere.safetensors"], "nowhere.safetensors"),
        (["attend", "nowhere.png", "--weights", "nowhere.safetensors"], "nowhere.safetensors"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("error: ")
    assert words in said[-1]
    assert not list(tmp_path.iterdir())  # nothing half done stays behind


def test_a_file_that_is_no_picture_is_named(run_dir, tmp_path, capsys):
    (tmp_path / "notes.png").write_text("not a picture")
    weights = str(run_dir / "weights.safetensors")
    assert main(["attend", str(tmp_path / "notes.png"), "--weights", weights]) == 1
    assert "notes.png" in capsys.readouterr().err


def test_weights_without_a_record_are_refused_for_evaluation(run_dir, tmp_path, capsys):
    from course_utils.zoo.weights import save_weights

    save_weights(load_weights(run_dir / "weights.safetensors"), tmp_path / "bare.safetensors")
    assert main(["evaluate", str(tmp_path / "bare.safetensors"), "--sample", "always"]) == 1
    assert "no record of a training, so nothing says what it has not seen" in capsys.readouterr().err


def test_traceback_is_shown_when_asked_for():
    with pytest.raises(ValueError, match="no recipe"):
        main(["train", "--recipe", "magic", "--traceback"])


def test_a_mistyped_command_exits_with_2(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["trian"])
    assert stopped.value.code == 2
    for command in ("doctor", "data", "train", "evaluate", "attend", "bench"):
        with pytest.raises(SystemExit) as stopped:
            main([command, "--help"])
        assert stopped.value.code == 0
        assert f"python -m course_utils {command}" in capsys.readouterr().out


def test_ctrl_c_outside_training_exits_with_130(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("course_utils.data.load_cifar10", interrupted)
    assert main(["data"]) == 130
    assert "Stopped" in capsys.readouterr().err


def start(runs: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "course_utils", "train", *TINY, "--sample", "always", "--steps", "60", "--set"]
    command += ["batch_size=16", "--device", "cpu", "--precision", "fp32", "--runs", str(runs), "--name", "run", *more]
    code = (  # a checkpoint after every step, and steps slow enough to be killed between
        "import sys, time, torch; from course_utils import cli; from course_utils.training import trainer; "
        "trainer.CHECKPOINT_SECONDS = 0.0; "
        "torch.set_num_threads(1); step = trainer.Learner.step; "
        "trainer.Learner.step = lambda *given: (time.sleep(0.02), step(*given))[1]; "
        f"sys.exit(cli.main({command[3:]!r}))"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_checkpoint(process: subprocess.Popen, folder: Path) -> None:
    while checkpoints.find_checkpoint(folder) is None:
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)


def test_kill_9_and_resume_give_the_uninterrupted_weights_to_the_bit(tmp_path):
    whole = start(tmp_path / "whole")
    assert whole.wait(240) == 0, whole.stdout.read()

    folder = tmp_path / "killed" / "run"
    for delay in (0.2, 0.7):  # killed twice, wherever it then is
        process = start(tmp_path / "killed", "--resume")
        wait_for_checkpoint(process, folder)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    last = start(tmp_path / "killed", "--resume")
    assert last.wait(240) == 0, last.stdout.read()

    # Checkpoints, since they are float32: weights, optimiser, average.
    one, other = (load_tensors(tmp_path / name / "run" / checkpoints.NAME)[0] for name in ("whole", "killed"))
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C another way")
def test_ctrl_c_during_training_exits_with_130_and_says_how_to_go_on(tmp_path):
    process = start(tmp_path)
    wait_for_checkpoint(process, tmp_path / "run")
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    assert "--resume" in process.stdout.read()


@pytest.mark.parametrize(
    ("kind", "sets", "name", "made"),
    [
        ("cnn", ["width=4", "stages=2"], "cnn", "SmallCNN"),
        ("conv_stem_vit", ["stem=pooled", "embed_dim=16", "depth=1", "num_heads=2"], "conv_stem_vit", "ConvStemViT"),
    ],
)
def test_other_kinds_of_model_can_be_trained_and_evaluated(kind, sets, name, made, tmp_path, capsys):
    model = [f"--model-set={each}" for each in sets]
    arguments = ["train", "--kind", kind, *model, "--sample", "always", "--steps", "2", "--runs", str(tmp_path)]
    assert main(arguments) == 0
    weights = tmp_path / f"{name}-half-hour-seed0" / "weights.safetensors"
    assert type(load_weights(weights)).__name__ == made
    assert main(["evaluate", str(weights), "--sample", "always"]) == 0
    assert "test accuracy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--kind", "rnn"], "no model kind 'rnn': choose one of vit"),
        (["--kind", "cnn", "--model", "cifar_micro"], "a cnn is set with --model-set"),
        (["--kind", "cnn", "--model-set", "depth=3"], "no setting named depth"),
        (["--kind", "cnn", "--snapshots"], "a cnn has none: leave it out"),
    ],
)
def test_what_a_kind_does_not_take_is_said(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--sample", "always", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_accuracy_of_all_or_nothing_is_given_without_an_error():
    figures = {"accuracy": 1.0, "accuracy_standard_error": 0.0, "n": 18, "top_k": 3, "top_k_accuracy": 1.0}
    said = options.accuracy_line(figures | {"loss": 0.01, "calibration_error": 0.005})
    assert said.startswith("test accuracy 100.00% on 18 images")
    assert "62.50% ± 17.12% on 8" in options.accuracy_line(
        figures | {"accuracy": 0.625, "accuracy_standard_error": 0.17116, "n": 8, "loss": 1, "calibration_error": 0}
    )
