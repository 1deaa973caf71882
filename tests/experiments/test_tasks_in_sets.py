"""A set file names what is learned: another task, with another kind of model, runs, is recorded, listed and printed."""

import json

import pytest
from other_tasks import Distillation, MaskedPixels, Painter, PainterConfig
from tiny_set import run_set

from course_utils.cli import main
from course_utils.experiments.runner import record_path, state_of
from course_utils.experiments.sets import load_set
from course_utils.zoo import kinds

MODEL = "patch_size = 16\nembed_dim = 16\ndepth = 2\nnum_heads = 2"
UNMEASURED = (('["position_similarity", "attention_distance"]', "[]"), ('["attention_entropy"]', "[]"))
TEACH = 'epochs = 2\nbatch_size = 25\nlearning_rate = 0.02\n\n[task]\nname = "distillation"\ntemperature = 3.0'
RECIPE = "epochs = 2\nbatch_size = 25\nlearning_rate = 0.02"


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    for task in (Distillation, MaskedPixels):
        monkeypatch.setitem(kinds.TASKS, task.name, task)
    monkeypatch.setitem(kinds.KINDS, "painter", kinds.ModelKind(PainterConfig, Painter))


@pytest.fixture
def distilled(write_set):
    second = '"wide | warm" = { model.embed_dim = 32, recipe.warmup = 0.5 }'
    return write_set((RECIPE, TEACH), (second, '"hot" = { task.temperature = 9.0 }'), ("seeds = [0, 1]", "seeds = [0]"))


def record_of(path, run):
    return json.loads(record_path(path.parent / "results", run).read_text())


def state(path, run):
    return state_of(run, path.parent / "results")


def test_a_set_names_a_task_and_its_settings(distilled, tmp_path, capsys):
    plain, hot = load_set(distilled).runs
    assert (plain.task, hot.task) == (
        {"name": "distillation", "temperature": 3.0},
        {"name": "distillation", "temperature": 9.0},
    )
    assert run_set(tmp_path) == 0
    assert "validation agreement 0." in capsys.readouterr().out
    record = record_of(distilled, plain)
    assert record["task"] == {"name": "distillation", "temperature": 3.0}
    assert record["test"].keys() == {"n", "agreement"}
    looks = [entry for entry in record["epochs"] if entry["epoch"]]
    assert all({"train_agreement", "validation_agreement", "attention_entropy"} <= entry.keys() for entry in looks)
    assert state(distilled, plain) == state(distilled, hot) == ("recorded", [])
    assert record["epochs"] != record_of(distilled, hot)["epochs"]
    assert run_set(tmp_path) == 0
    assert "2 of 2 runs are recorded" in capsys.readouterr().out


def test_a_changed_setting_of_a_task_makes_its_records_stale(distilled, tmp_path):
    assert run_set(tmp_path) == 0
    text = distilled.read_text()
    for changed, reason in (
        (text.replace("temperature = 3.0", "temperature = 4.0"), "task.temperature: 3.0 recorded, 4.0 wanted"),
        (text.replace("temperature = 3.0", ""), "task.temperature: 3.0 recorded, nothing wanted"),
        (text.replace("temperature = 3.0", "more = 1\ntemperature = 3.0"), "task.more: nothing recorded, 1 wanted"),
    ):
        distilled.write_text(changed)
        assert state(distilled, load_set(distilled).runs[0]) == ("stale", [reason])
    distilled.write_text(text.replace(TEACH, RECIPE).replace("task.temperature = 9.0", ""))
    state_now, reasons = state(distilled, load_set(distilled).runs[0])
    assert state_now == "stale"
    assert "task.name: distillation recorded, classification wanted" in reasons


def test_another_kind_of_model_learns_another_task_and_the_page_says_what_came_out(write_set, tmp_path, capsys):
    task = f'{RECIPE}\n\n[task]\nname = "masked_pixels"'
    path = write_set(
        (MODEL, 'kind = "painter"\nwidth = 4'), ("model.embed_dim = 32, ", ""), (RECIPE, task), *UNMEASURED
    )
    assert run_set(tmp_path) == 0
    run = load_set(path).runs[0]
    record = record_of(path, run)
    assert (record["kind"], record["config"]) == ("painter", {"width": 4, "dropout": 0.1})
    assert record["test"].keys() == {"n", "error"}
    assert record["test"]["error"] > 0
    assert [entry["epoch"] for entry in record["epochs"]] == [0.5, 1, 1.5, 2]
    assert state(path, run) == ("recorded", [])
    capsys.readouterr()
    where = ["--sets", str(tmp_path), "--results", str(tmp_path / "results")]
    page, figures = tmp_path / "page.md", tmp_path / "figures"
    assert main(["experiments", "report", *where, "--out", str(page), "--figures", str(figures)]) == 0
    errors = [record_of(path, run)["test"]["error"] for run in load_set(path).runs[:2]]
    assert f"error {sum(errors) / 2:.4f} ± " in page.read_text()
    assert main(["experiments", "list", *where]) == 0
    assert "4 recorded, 0 stale, 0 missing" in capsys.readouterr().out


def test_an_unknown_task_is_refused_when_the_file_is_read(write_set):
    path = write_set((RECIPE, f'{RECIPE}\n\n[task]\nname = "telepathy"'))
    with pytest.raises(ValueError, match=r"tiny\.toml: variant 'plain': There is no task 'telepathy': choose one of"):
        load_set(path)
