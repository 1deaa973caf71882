"""The runner: records hold what a repeat needs, nothing is run twice, nothing stale is used."""

import json
import math
import shutil
import signal
import statistics
import subprocess
import sys
import time

import pytest
import torch
import torch.nn.functional as F
from tiny_set import SET, run_set

from course_utils.analysis.evaluation import accuracy, predict
from course_utils.cli import main
from course_utils.data import load_cifar10
from course_utils.experiments import runner
from course_utils.experiments.runner import (
    Workplace,
    balanced_subset,
    carry_out,
    minutes_to,
    record_path,
    state_of,
)
from course_utils.experiments.sets import load_set
from course_utils.model.config import ViTConfig
from course_utils.model.counting import count_multiply_adds
from course_utils.support import environment
from course_utils.support.files import DamagedFileError
from course_utils.training import checkpoints
from course_utils.training.learner import Learner
from course_utils.training.recipes import Recipe
from course_utils.training.tasks import Classification
from course_utils.training.trainer import NonFiniteLossError, Trainer
from course_utils.zoo.kinds import KINDS


@pytest.fixture
def copy(done, tmp_path):
    """The finished set in a folder of its own, to be changed."""
    return shutil.copytree(done, tmp_path / "copy")


def states(folder):
    return [state_of(run, folder / "results")[0] for run in load_set(folder / "tiny.toml").runs]


def change(folder, old, new):
    path = folder / "tiny.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_record_holds_what_a_repeat_needs(done, tiny):
    run = tiny.runs[2]
    record = json.loads(record_path(done / "results", run).read_text())
    assert (record["kind"], record["seed"], record["status"]) == ("vit", 0, "finished")
    assert record["config"] == run.config.to_dict()
    assert Recipe.from_dict(record["recipe"]) == run.recipe
    assert (record["data"]["source"], record["data"]["images"], len(record["data"]["sha256"])) == ("sample", 50, 64)
    assert record["environment"]["threads"] == torch.get_num_threads()
    assert {"torch", "python", "commit", "device"} <= record["environment"].keys()
    assert (record["machine"], record["test"]["n"], record["validation"]["n"]) == ("busy", 1000, 500)
    assert record["command"] == "python -m course_utils experiments run tiny --seeds 0"
    assert str(done) not in json.dumps(record)


def test_a_record_can_be_repeated_from_what_it_holds(done, tiny):
    record = json.loads(record_path(done / "results", tiny.runs[2]).read_text())
    torch.manual_seed(record["seed"])
    model = KINDS[record["kind"]].make(KINDS[record["kind"]].config.from_dict(record["config"]))
    train = balanced_subset(load_cifar10("train", sample="always"), record["subset"], record["seed"])
    assert train.describe() == record["data"]
    recipe = Recipe.from_dict(record["recipe"])
    Trainer(model, Classification(train), recipe, seed=0, device="cpu", precision="fp32", show_progress=False).fit()
    test = load_cifar10("test", sample="always")
    assert accuracy(predict(model, test.images), test.labels) == record["test"]["accuracy"]


def test_the_history_begins_before_training_and_tracks_what_was_asked(done, tiny):
    record = json.loads(record_path(done / "results", tiny.runs[0]).read_text())
    assert [entry["epoch"] for entry in record["epochs"]] == [0, 0.5, 1, 1.5, 2]  # there are but four steps
    assert "validation_accuracy" not in record["epochs"][0]
    assert record["epochs"][-1]["validation_accuracy"] == record["validation"]["accuracy"]
    # untrained, every token takes about as much from each of the 5
    assert record["epochs"][0]["attention_entropy"][0][0] == pytest.approx(math.log(5), abs=0.01)
    assert record["epochs"][-1]["attention_entropy"] != record["epochs"][0]["attention_entropy"]
    assert record["measurements"].keys() == {"position_similarity", "attention_distance"}


def test_a_long_run_is_looked_at_a_few_times_only(write_set, tmp_path):
    run = load_set(write_set(("epochs = 2", "epochs = 20"))).runs[0]
    record = carry_out(run, Workplace(tmp_path / "results", tmp_path / "runs", device="cpu", show_progress=False))
    looked = [entry["epoch"] for entry in record["epochs"] if "validation_accuracy" in entry]
    assert looked == [3.5, 7, 10.5, 13.5, 17, 20]  # the first steps to end in each sixth of the run (67 of 400 images)


def test_a_set_can_ask_for_more_looks_and_for_the_time_to_an_accuracy(write_set, tmp_path):
    path = write_set(("order = 1", "order = 1\nlooks = 3\nmarks = [5, 12.5, 100]"), ("epochs = 2", "epochs = 3"))
    run = load_set(path).runs[0]
    place = Workplace(tmp_path / "results", tmp_path / "runs", device="cpu", show_progress=False)
    record = carry_out(run, place)
    looks = [entry for entry in record["epochs"] if "validation_accuracy" in entry]
    assert [look["epoch"] for look in looks] == [1, 2, 3]
    assert record["minutes_to"].keys() == {"5", "12.5", "100"}
    assert record["minutes_to"]["5"] == looks[0]["seconds"] / 60  # ten classes: better than that from the beginning
    assert record["minutes_to"]["100"] is None
    assert minutes_to({"epochs": [{"seconds": 60, "validation_accuracy": 0.4}, {"seconds": 90}]}, 0.41) is None
    assert state_of(run, tmp_path / "results") == ("recorded", [])
    path.write_text(path.read_text().replace("marks = [5, ", "marks = [5, 7, "))
    assert state_of(load_set(path).runs[0], tmp_path / "results") == ("stale", ["minutes to 7%: not measured yet"])


def test_the_throughput_is_set_beside_that_of_matrix_products(done, tiny):
    record = json.loads(record_path(done / "results", tiny.runs[0]).read_text())
    found = record["throughput"]
    assert found["images_a_second"] == pytest.approx(100 / record["seconds"])  # two passes over 50 images
    operations = 6 * record["cost"]["multiply_adds"] * found["images_a_second"]
    assert found["share_of_matmul_rate"] == pytest.approx(operations / statistics.fmean(found["matmul_rates"]))


def test_early_patches_make_the_throughput_of_fewer_operations(write_set, tmp_path):
    place = Workplace(tmp_path / "results", tmp_path / "runs", device="cpu", show_progress=False)
    early = "batch_size = 25\nearly_patch_size = 32\nearly = 0.75"
    record = carry_out(load_set(write_set(("batch_size = 25", early))).runs[0], place)
    found, late = record["throughput"], record["cost"]["multiply_adds"]
    config = ViTConfig.from_dict(record["config"]).replace(patch_size=32)
    first = sum(count_multiply_adds(config).values())
    operations = 6 * (0.75 * first + 0.25 * late) * found["images_a_second"]
    assert found["share_of_matmul_rate"] == pytest.approx(operations / statistics.fmean(found["matmul_rates"]))


def test_pixels_may_stay_as_they_are(write_set, tmp_path):
    run = load_set(write_set(('source = "sample"', 'source = "sample"\nnormalise = false'))).runs[0]
    record = carry_out(run, Workplace(tmp_path / "results", tmp_path / "runs", device="cpu", show_progress=False))
    assert record["normalisation"] == {"mean": [0, 0, 0], "std": [1, 1, 1]}
    assert state_of(run, tmp_path / "results") == ("recorded", [])


def test_what_is_recorded_is_not_run_again(copy, monkeypatch, capsys):
    monkeypatch.setattr(runner, "carry_out", lambda *_: pytest.fail("a recorded run was run again"))
    assert run_set(copy) == 0
    assert "4 of 4 runs are recorded" in capsys.readouterr().out


def test_a_changed_file_makes_exactly_the_changed_runs_stale_and_they_are_run_anew(copy, capsys):
    change(copy, "recipe.warmup = 0.5", "recipe.warmup = 0.25")
    assert states(copy) == ["recorded", "recorded", "stale", "stale"]
    assert main(["experiments", "--sets", str(copy), "--results", str(copy / "results")]) == 0
    said = capsys.readouterr().out
    assert "2 recorded, 2 stale, 0 missing" in said
    assert "recipe.warmup: 0.5 recorded, 0.25 wanted" in said
    assert run_set(copy, "tiny", "--seeds", "1") == 0
    assert states(copy) == ["recorded", "recorded", "stale", "recorded"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("images = 50", "images = 60", "images: 50 recorded, 60 wanted"),
        ("depth = 2", "depth = 1", "config.depth: 2 recorded, 1 wanted"),
        ('track = ["attention_entropy"]', "", "track: ['attention_entropy'] recorded, [] wanted"),
        ('"position_similarity", ', '"position_similarity", "speed", ', "speed: not measured yet"),
        ("patch_size = 16\nembed_dim = 16\ndepth = 2\nnum_heads = 2", 'kind = "cnn"', "kind: vit recorded, cnn wanted"),
    ],
)
def test_stale_runs_say_what_differs(copy, old, new, reason):
    change(copy, old, new)
    if "cnn" in new:
        change(copy, "model.embed_dim = 32", "model.width = 8")
    assert state_of(load_set(copy / "tiny.toml").runs[0], copy / "results") == ("stale", [reason])


def test_a_setting_that_the_course_lost_makes_a_record_stale(copy):
    path = record_path(copy / "results", load_set(copy / "tiny.toml").runs[0])
    record = json.loads(path.read_text())
    record["recipe"]["lost"] = 1
    path.write_text(json.dumps(record))
    state, [reason] = state_of(load_set(copy / "tiny.toml").runs[0], copy / "results")
    assert state == "stale"
    assert "Recipe has no setting named lost" in reason


def test_a_setting_that_is_younger_than_the_record_had_its_default(copy):
    path = record_path(copy / "results", load_set(copy / "tiny.toml").runs[0])
    record = json.loads(path.read_text())
    del record["recipe"]["ema"], record["config"]["num_registers"]
    path.write_text(json.dumps(record))
    assert states(copy)[0] == "recorded"


def test_a_new_measurement_needs_no_new_training(copy, monkeypatch):
    change(copy, 'measure = ["position_similarity"', 'measure = ["attention_entropy", "position_similarity"')
    monkeypatch.setattr(Learner, "step", lambda *_: pytest.fail("it was trained again"))
    monkeypatch.setattr(environment, "commit", lambda: "a later one")
    path = record_path(copy / "results", load_set(copy / "tiny.toml").runs[0])
    before = json.loads(path.read_text())
    assert run_set(copy) == 0
    after = json.loads(path.read_text())
    assert "attention_entropy" in after["measurements"]
    assert after["test"] == before["test"]
    assert after["epochs"] == before["epochs"]
    assert after["environment"] == before["environment"]
    assert after["written_in"]["commit"] == "a later one"


def test_records_of_variants_that_are_gone_are_named(copy, capsys):
    change(copy, '"wide | warm"', '"broad"')
    assert main(["experiments", "list", "tiny", "--sets", str(copy), "--results", str(copy / "results")]) == 0
    said = capsys.readouterr().out
    assert "2 recorded, 0 stale, 2 missing" in said
    assert "not in the set any more: wide-warm-seed0.json" in said


def test_a_run_that_diverges_is_a_result(write_set, tmp_path, monkeypatch, capsys):
    def diverge(*_):
        raise NonFiniteLossError("The loss is not a finite number at step 3 (learning rate 1.00e-03). Lower it.")

    write_set()
    monkeypatch.setattr(Learner, "step", diverge)
    assert run_set(tmp_path) == 0
    assert "not a finite number at step 3 (learning rate 1.00e-03).\n" in capsys.readouterr().out
    assert states(tmp_path) == ["recorded"] * 4


def test_an_average_of_the_weights_is_reported_beside_them(write_set, tmp_path):
    run = load_set(write_set(("batch_size = 25", "batch_size = 25\nema = 0.5"))).runs[0]
    record = carry_out(run, Workplace(tmp_path / "results", tmp_path / "runs", device="cpu", show_progress=False))
    assert record["average"]["validation"]["loss"] != record["validation"]["loss"]


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("cnn", 'kind = "cnn"\nwidth = 4'),
        ("conv_stem_vit", 'kind = "conv_stem_vit"\npatch_size = 16\nembed_dim = 16\ndepth = 1\nnum_heads = 2'),
    ],
)
def test_other_kinds_of_model_are_run_too(kind, model, write_set, tmp_path):
    path = write_set(
        ("patch_size = 16\nembed_dim = 16\ndepth = 2\nnum_heads = 2", model),
        ("model.embed_dim = 32, ", ""),
        ('["position_similarity", "attention_distance"]', "[]"),
        ('["attention_entropy"]', "[]"),
    )
    run = load_set(path).runs[0]
    record = carry_out(run, Workplace(tmp_path / "results", tmp_path / "runs", device="cpu", show_progress=False))
    assert record["kind"] == kind
    assert [entry["epoch"] for entry in record["epochs"]] == [0.5, 1, 1.5, 2]
    assert state_of(run, tmp_path / "results") == ("recorded", [])


def test_a_subset_has_as_many_of_each_class_and_a_smaller_one_is_part_of_it():
    whole = load_cifar10("train", sample="always")
    large, small = (balanced_subset(whole, count, seed=3) for count in (200, 50))
    assert large.labels.bincount().tolist() == [20] * 10
    pictures = {image.numpy().tobytes() for image in large.images}
    assert all(image.numpy().tobytes() in pictures for image in small.images)
    assert not torch.equal(balanced_subset(whole, 50, seed=4).images, small.images)
    for count in (55, 0, 5000):
        with pytest.raises(ValueError, match="multiple of 10 from 10 to 4,500"):
            balanced_subset(whole, count, seed=0)


def test_a_damaged_record_is_named(copy):
    record_path(copy / "results", load_set(copy / "tiny.toml").runs[0]).write_text("{")
    with pytest.raises(DamagedFileError, match=r"plain-seed0\.json"):
        states(copy)


def test_a_set_of_another_name_is_refused(copy, capsys):
    assert run_set(copy, "tyni") == 1
    assert "no experiment set 'tyni': choose one of tiny" in capsys.readouterr().err


def test_a_run_that_was_stopped_leaves_no_record_and_stops_the_others(write_set, tmp_path, monkeypatch):
    stopped = []

    def fit(self, resume, on_report):
        stopped.append(self.seed)
        return {"status": "unfinished"}

    write_set()
    monkeypatch.setattr(Trainer, "fit", fit)
    assert run_set(tmp_path) == 130
    assert stopped == [0]
    assert states(tmp_path) == ["missing"] * 4


def test_the_command_says_how_it_is_used(capsys):
    with pytest.raises(SystemExit):
        main(["experiments", "--help"])
    assert "python -m course_utils experiments run positions --seeds 0 1" in capsys.readouterr().out


def test_kill_9_and_the_same_command_give_the_uninterrupted_record(done, tmp_path):
    (tmp_path / "tiny.toml").write_text(SET, encoding="utf-8")
    command = ["experiments", "run", "--seeds", "1", "--device", "cpu", "--precision", "fp32", "--sets", str(tmp_path)]
    command += ["--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs")]
    code = (  # a checkpoint after every step, and steps slow enough to be killed between
        "import time, torch; from course_utils.training import trainer; trainer.CHECKPOINT_SECONDS = 0.0; "
        "torch.set_num_threads(1); step = trainer.Learner.step; "
        "trainer.Learner.step = lambda *given: (time.sleep(0.2), step(*given))[1]; "
        f"from course_utils.cli import main; main({command!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob(f"runs/*/{checkpoints.NAME}")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert states(tmp_path) == ["missing"] * 4
    [checkpoint] = tmp_path.glob(f"runs/*/{checkpoints.NAME}")
    assert 0 < checkpoints.load_checkpoint(checkpoint)[1]["step"] < 4

    assert run_set(tmp_path, "--seeds", "1") == 0
    assert states(tmp_path) == ["missing", "recorded", "missing", "recorded"]
    run = load_set(tmp_path / "tiny.toml").runs[1]
    resumed, whole = (json.loads(record_path(folder / "results", run).read_text()) for folder in (tmp_path, done))
    for record in (resumed, whole):
        for entry in record["epochs"]:
            entry.pop("seconds", None)
    for key in ("data", "recipe", "epochs", "test", "validation", "measurements"):
        assert resumed[key] == whole[key], key


def test_early_in_a_run_the_model_is_looked_at_with_the_patches_that_it_is_trained_with(write_set, tmp_path):
    run = load_set(write_set(("batch_size = 25", "batch_size = 25\nearly_patch_size = 32\nearly = 0.75"))).runs[0]
    record = carry_out(run, Workplace(tmp_path / "results", tmp_path / "runs", device="cpu", show_progress=False))
    validation, losses = load_cifar10("validation", sample="always"), []

    def look(_):
        logits = predict(trainer.model.with_patch_size(32 if trainer.step < 4 else 16), validation.images)
        losses.append(F.cross_entropy(logits, validation.labels).item())

    torch.manual_seed(0)
    model = KINDS["vit"].make(run.config)
    train = balanced_subset(load_cifar10("train", sample="always"), 50, 0)
    trainer = Trainer(model, Classification(train), run.recipe, device="cpu", precision="fp32", report_every=0.5)
    trainer.fit(on_report=look)
    assert [entry["validation_loss"] for entry in record["epochs"][1:]] == pytest.approx(losses)
