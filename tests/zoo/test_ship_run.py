"""What a run has learned without labels goes into a file by name; another run starts with it, or is taught by it."""

import json
import sys

import pytest
import ship_run
import torch

from course_utils.cli import main
from course_utils.data import normalisation_of
from course_utils.experiments.runner import record_path, state_of, trained_model
from course_utils.experiments.sets import load_set
from course_utils.zoo import weights
from course_utils.zoo.weights import load_weights, read_record

BODY = "patch_size = 16\nembed_dim = 16\ndepth = 1\nnum_heads = 2"
SETS = {
    "hidden": (
        'kind = "masked"\ndecoder_dim = 8\ndecoder_heads = 2',
        '[task]\nname = "masked_images"\nmask_ratio = 0.5',
    ),
    "twins": (
        'kind = "dino"\noutputs = 8\nhead_hidden = 8\nhead_bottleneck = 4',
        '[task]\nname = "self_distillation"\nsmall_views = 1',
    ),
    "after_hidden": ("", '[data]\nstart = "hidden; v"'),
    "after_twins": ("", '[data]\nstart = "twins; v"'),
    "taught": ('kind = "distilled_vit"', '[task]\nname = "distillation"\nteacher = "after_hidden; v"\nway = "hard"'),
}
SET = """
title = "T"
question = "Q"
seeds = [3]
looks = 1

[model]
{body}
{model}

[recipe]
steps = 2
batch_size = 20

{more}

[variants]
"v" = {{ data.source = "sample", data.images = 50 }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All five sets, carried out."""
    folder = tmp_path_factory.mktemp("sets")
    for order, (name, (model, more)) in enumerate(SETS.items()):
        text = SET.format(body=BODY, model=model, more=more).replace("looks = 1", f"looks = 1\norder = {order}")
        (folder / f"{name}.toml").write_text(text)
    assert main(["experiments", "run", *where(folder), "--device", "cpu"]) == 0
    return folder


def where(folder):
    return ["--sets", str(folder), "--results", str(folder / "results"), "--runs", str(folder / "runs")]


def run_of(folder, name):
    return load_set(folder / f"{name}.toml").runs[0]


def record_of(folder, name):
    return json.loads(record_path(folder / "results", run_of(folder, name)).read_text())


def test_all_are_recorded_and_say_where_they_are_from(folder):
    for name in SETS:
        assert state_of(run_of(folder, name), folder / "results") == ("recorded", []), name
    assert record_of(folder, "after_hidden")["begins_with"] == run_of(folder, "hidden").folder
    assert record_of(folder, "taught")["taught_by"] == run_of(folder, "after_hidden").folder
    assert record_of(folder, "taught")["teacher"]["class"] == "VisionTransformer"
    assert record_of(folder, "hidden")["taught_by"] is None


@pytest.mark.parametrize(("before", "after"), [("hidden", "after_hidden"), ("twins", "after_twins")])
def test_a_run_begins_with_the_encoder_inside_another(folder, before, after, monkeypatch):
    """After one step with a rate of nearly nothing, the body is still the encoder, and nothing else is."""
    path = folder / f"still_{after}.toml"
    text = (folder / f"{after}.toml").read_text()
    path.write_text(text.replace("steps = 2", "steps = 1\nlearning_rate = 1e-30\nfinal_learning_rate = 0.0"))
    assert main(["experiments", "run", path.stem, *where(folder), "--device", "cpu"]) == 0
    encoder = trained_model(run_of(folder, before), folder / "runs").backbone.state_dict()
    model = trained_model(run_of(folder, path.stem), folder / "runs")
    path.unlink()
    assert model.config.num_classes == 10
    for name, tensor in encoder.items():
        assert torch.allclose(model.state_dict()[name], tensor, atol=1e-6), name
    assert model.head.weight.abs().max() < 1e-6


def ship(folder, monkeypatch, *words):
    out = folder / "encoders"
    call = ["ship_run.py", *words, *where(folder), "--seed", "3", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", call)
    ship_run.main()
    monkeypatch.setattr(weights, "ENCODERS_FOLDER", out)


@pytest.mark.parametrize(
    ("words", "kind", "figure"),
    [
        (("hidden", "v", "--name", "enc"), "VisionTransformer", "knn_accuracy"),
        (("hidden", "v", "--name", "all", "--whole"), "MaskedAutoencoder", "loss"),
        (("twins", "v", "--name", "twin"), "VisionTransformer", "knn_accuracy"),
    ],
)
def test_what_was_learned_ships_by_name_with_its_record(folder, monkeypatch, capsys, words, kind, figure):
    ship(folder, monkeypatch, *words)
    name = words[3]
    assert name in weights.encoder_names()
    loaded, record = load_weights(name), read_record(name)
    assert type(loaded).__name__ == kind
    assert normalisation_of(loaded) is not None
    assert record["experiment"] == words[0]
    assert record["on_sample"].keys() == {figure}
    assert ship_run.on_sample(loaded) == pytest.approx(record["on_sample"], rel=1e-3)
    assert f"'{figure}'" in capsys.readouterr().out


def test_a_variant_that_is_not_there_is_named(folder, monkeypatch):
    with pytest.raises(SystemExit, match="the set has no variant 'w' with seed 3"):
        ship(folder, monkeypatch, "hidden", "w", "--name", "x")


def test_a_teacher_that_was_not_trained_here_is_named_with_the_command(folder, tmp_path, capsys):
    for name in ("hidden", "after_hidden", "taught"):
        (tmp_path / f"{name}.toml").write_text((folder / f"{name}.toml").read_text())
    assert main(["experiments", "run", "taught", *where(tmp_path), "--device", "cpu"]) == 1
    said = capsys.readouterr().err
    assert "'v' of after_hidden, seed 3, whose weights are needed, is not in" in said
    assert "python -m course_utils experiments run after_hidden  first" in said
