"""The trainer: what it learns, what it records, and that stopping and resuming changes nothing."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from tiny_training import (
    Killed,
    after_step,
    assert_bit_equal,
    before_step,
    figures,
    kill_before,
    make_images,
    state_of,
    trainer_of,
)

from course_utils import VisionTransformer, ViTConfig
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.data import normalisation_of
from course_utils.support.files import DamagedFileError, load_tensors
from course_utils.training import checkpoints
from course_utils.training.optimisers import parameter_groups
from course_utils.training.recipes import OPTIMIZERS, Recipe
from course_utils.training.tasks import Classification
from course_utils.training.trainer import NonFiniteLossError

FULL = Recipe(  # everything on, so that everything must resume
    steps=23, batch_size=12, accumulate=2, crop_padding=1, rand_augment_n=1, cutmix=0.4, mixup=0.3, erasing=0.2,
    ema=0.9, unmixed=0.3, learning_rate=1e-3, early_patch_size=8, early=0.4, whitening=0.3,
)  # fmt: skip


def test_it_learns(make_trainer):
    trainer = make_trainer(Recipe(epochs=80, batch_size=25, learning_rate=3e-3, crop_padding=0, label_smoothing=0.0))
    record = trainer.fit()
    assert record["status"] == "finished"
    assert record["epochs"][-1]["validation_accuracy"] > 0.9
    assert record["epochs"][-1]["train_loss"] < record["epochs"][0]["train_loss"]


def test_the_record_holds_what_a_repeat_needs(make_trainer, tmp_path):
    trainer = make_trainer(Recipe(epochs=2, batch_size=25), run_dir=tmp_path)
    record = trainer.fit()
    assert json.loads((tmp_path / "record.json").read_text())["epochs"] == record["epochs"]
    assert ViTConfig.from_dict(record["config"]) == trainer.model.config
    assert Recipe.from_dict(record["recipe"]) == trainer.recipe
    assert record["data"]["images"] == 50
    assert record["data"]["source"] == "synthetic"
    assert {"torch", "device", "commit", "threads"} <= set(record["environment"])
    assert [entry["step"] for entry in record["epochs"]] == [2, 4]
    assert {"train_loss", "train_accuracy", "validation_loss", "validation_accuracy"} <= set(record["epochs"][0])


def test_the_record_names_the_commit_that_the_run_started_from(make_trainer, monkeypatch):
    monkeypatch.setattr("course_utils.support.environment.commit", lambda: "before")
    trainer = make_trainer(Recipe(steps=1, batch_size=10))
    monkeypatch.setattr("course_utils.support.environment.commit", lambda: "a commit made while it ran")
    assert trainer.fit()["environment"]["commit"] == "before"


def test_two_runs_with_one_seed_are_bit_equal_and_another_seed_differs(make_trainer):
    states = []
    for seed in (3, 3, 4):
        trainer = make_trainer(FULL, seed=seed)
        trainer.fit()
        states.append(state_of(trainer))
    assert_bit_equal(states[0], states[1])
    assert not torch.equal(states[0]["model head.weight"], states[2]["model head.weight"])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("stop_at", [1, 4, 5, 9, 17, 22])
def test_a_killed_run_resumes_bit_equal(make_trainer, tmp_path, monkeypatch, stop_at, optimizer):
    recipe = FULL.replace(optimizer=optimizer)
    whole = make_trainer(recipe)
    expected = whole.fit()

    monkeypatch.setattr("course_utils.training.trainer.CHECKPOINT_SECONDS", 0.0)  # a checkpoint after every step
    first = make_trainer(recipe, run_dir=tmp_path)
    kill_before(first, stop_at)
    with pytest.raises(Killed):
        first.fit()

    second = make_trainer(recipe, run_dir=tmp_path)
    record = second.fit(resume=True)
    assert_bit_equal(state_of(second), state_of(whole))
    assert figures(record) == figures(expected)


def test_ctrl_c_keeps_the_state_and_says_how_to_go_on(make_trainer, tmp_path, capsys):
    whole = make_trainer(FULL)
    whole.fit()
    first = make_trainer(FULL, run_dir=tmp_path)
    after_step(first, lambda number: signal.raise_signal(signal.SIGINT) if number == 8 else None)
    record = first.fit()
    assert (record["status"], first.step) == ("unfinished", 9)
    said = capsys.readouterr().out
    assert "step 9 of 23" in said
    assert "--resume" in said

    second = make_trainer(FULL, run_dir=tmp_path)
    assert second.fit(resume=True)["status"] == "finished"
    assert_bit_equal(state_of(second), state_of(whole))


def test_workers_change_nothing_and_end_with_the_run(make_trainer, tmp_path):
    whole = make_trainer(FULL)
    expected = whole.fit()
    first = make_trainer(FULL, run_dir=tmp_path, workers=2)

    def interrupt(number):
        if number == 8:
            for process in [*multiprocessing.active_children(), multiprocessing.current_process()]:
                os.kill(process.pid, signal.SIGINT)  # as a terminal does

    after_step(first, interrupt)
    assert first.fit()["status"] == "unfinished"
    assert first.step in (9, 10)  # another thread may have been the one to hear of it
    assert not multiprocessing.active_children()

    second = make_trainer(FULL, run_dir=tmp_path, workers=2)
    assert figures(second.fit(resume=True)) == figures(expected)
    assert_bit_equal(state_of(second), state_of(whole))
    assert not multiprocessing.active_children()


@pytest.fixture
def usual_ctrl_c():
    """Python's own handler, also where the tests run in the background: there Ctrl-C is ignored from the start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_a_second_ctrl_c_stops_at_once(make_trainer, usual_ctrl_c):
    trainer = make_trainer(Recipe(steps=5, batch_size=10))

    def interrupt(number):
        signal.raise_signal(signal.SIGINT)
        while signal.getsignal(signal.SIGINT) is not usual_ctrl_c:  # two signals at once may count as one
            time.sleep(0.001)
        signal.raise_signal(signal.SIGINT)
        time.sleep(5)  # ended by the second signal

    before_step(trainer, interrupt)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit()


def test_resume_without_a_checkpoint_starts_anew(make_trainer, tmp_path):
    assert make_trainer(Recipe(steps=2, batch_size=10), run_dir=tmp_path).fit(resume=True)["status"] == "finished"


def test_resume_refuses_another_run(make_trainer, tmp_path):
    make_trainer(FULL, run_dir=tmp_path).fit()
    with pytest.raises(ValueError, match="belongs to another run: its seed is 0, but you asked for 5"):
        make_trainer(FULL, run_dir=tmp_path, seed=5).fit(resume=True)
    with pytest.raises(ValueError, match="its recipe"):
        make_trainer(FULL.replace(learning_rate=5e-4), run_dir=tmp_path).fit(resume=True)


def test_a_truncated_checkpoint_is_named_and_the_one_before_takes_over(make_trainer, tmp_path, monkeypatch):
    monkeypatch.setattr("course_utils.training.trainer.CHECKPOINT_SECONDS", 0.0)
    whole = make_trainer(FULL, run_dir=tmp_path)
    whole.fit()
    newest = tmp_path / checkpoints.NAME
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.raises(DamagedFileError, match=rf"(?s){checkpoints.NAME}.*{checkpoints.PREVIOUS}"):
        make_trainer(FULL, run_dir=tmp_path).fit(resume=True)
    newest.unlink()
    again = make_trainer(FULL, run_dir=tmp_path)
    again.fit(resume=True)
    assert_bit_equal(state_of(again), state_of(whole))


def test_a_full_disk_is_one_clear_error_and_the_checkpoint_before_survives(make_trainer, tmp_path, monkeypatch):
    monkeypatch.setattr("course_utils.training.trainer.CHECKPOINT_SECONDS", 0.0)
    first = make_trainer(FULL, run_dir=tmp_path)
    calls, write_bytes = [], Path.write_bytes

    def full_disk(path, content):
        calls.append(path)
        if len(calls) == 3:
            write_bytes(path, content[: len(content) // 2])
            raise OSError(28, "No space left on device")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match=r"(?s)Cannot write .*No space left.*nothing that was there before is lost"):
        first.fit()
    _, progress = checkpoints.load_checkpoint(checkpoints.find_checkpoint(tmp_path))
    assert progress["step"] == 2


def test_a_loss_that_is_no_number_stops_and_saves_the_batch(make_trainer, tmp_path):
    trainer = make_trainer(Recipe(steps=9, batch_size=10), run_dir=tmp_path)

    @torch.no_grad()
    def spoil(number):
        if number == 4:
            trainer.model.head.weight.fill_(torch.inf)

    before_step(trainer, spoil)
    with pytest.raises(NonFiniteLossError, match=r"step 4 \(learning rate .*bad_batch"):
        trainer.fit()
    tensors, record = load_tensors(tmp_path / "bad_batch.safetensors")
    assert record["step"] == 4
    stream = trainer.task.stream
    assert torch.equal(tensors["batch_1"], stream.labels[stream.indices(4)])
    for index, tensor in enumerate(trainer.learner.batch(4, 9)):
        assert torch.equal(tensors[f"batch_{index}"], tensor)
    assert tensors["batch_0"].shape == (10, 3, 8, 8)


def test_a_budget_in_minutes_is_measured_and_leaves_the_start_as_it_was(make_trainer):
    by_time = make_trainer(FULL.replace(minutes=0.1))
    record = by_time.fit()
    assert record["total_steps"] > 1
    by_steps = make_trainer(FULL.replace(steps=record["total_steps"]))
    by_steps.fit()
    assert_bit_equal(state_of(by_time), state_of(by_steps))


def test_early_steps_have_larger_patches_and_the_figures_are_those_of_what_was_at_work(make_trainer):
    trainer = make_trainer(Recipe(steps=5, batch_size=25, early_patch_size=8, early=0.6))
    lengths = {True: [], False: []}  # of the sequences, in training and in evaluation

    def keep(block, inputs, output):
        lengths[block.training].append(inputs[0].shape[1])

    for model in (trainer.model, *trainer.learner.early_model._frame):
        model.encoder.blocks[0].register_forward_hook(keep)
    trainer.fit()
    assert lengths == {True: [2, 2, 2, 5, 5], False: [2, 5, 5]}  # class token and 1 or 4 patches; passes end at 2, 4, 5


def test_early_patches_must_divide_the_image(make_trainer):
    with pytest.raises(ValueError, match="patch_size 3 does not divide"):
        make_trainer(Recipe(steps=5, batch_size=10, early_patch_size=3, early=0.6))


def test_tokens_can_start_as_whitened_patches(make_trainer):
    config = ViTConfig(image_size=8, patch_size=2, embed_dim=16, depth=1, num_heads=2, num_classes=4)
    trainer = make_trainer(Recipe(steps=1, whitening=0.3), config)
    images = normalisation_of(trainer.model)(trainer.task.train_set.images)
    tokens = trainer.model.embeddings.patch_embedding(images).reshape(-1, 16)  # 12 numbers a patch; 4 come twice
    covariance = tokens.T @ tokens / len(tokens) / 0.3**2
    expected = torch.eye(16)
    expected[range(4), range(12, 16)] = expected[range(12, 16), range(4)] = -1
    assert torch.allclose(covariance, expected, atol=0.15)  # the ridge of 0.01 takes a little from what varies little


def test_a_model_without_patches_cannot_start_whitened():
    task, recipe = Classification(make_images()), Recipe(steps=1, whitening=0.3)
    with pytest.raises(ValueError, match="a SmallCNN has none: set it to 0"):
        trainer_of(SmallCNN(CNNConfig(width=4, num_classes=4)), task, recipe)


def test_accumulation_changes_nothing_but_rounding(make_trainer):
    config = ViTConfig(image_size=8, patch_size=4, embed_dim=16, depth=1, num_heads=2, num_classes=4)  # no dropout
    losses = []
    for accumulate in (1, 5):
        recipe = Recipe(epochs=3, batch_size=10, accumulate=accumulate)
        record = make_trainer(recipe, config).fit()
        losses.append([entry["train_loss"] for entry in record["epochs"]])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_bf16_trains_too(make_trainer):
    record = make_trainer(Recipe(epochs=2, batch_size=25), precision="bf16").fit()
    assert record["precision"] == "bf16"
    assert record["epochs"][-1]["train_loss"] < 2


def test_weight_decay_reaches_the_matrices_only():
    model = VisionTransformer(ViTConfig(embed_dim=16, num_heads=2, depth=1, position="relative", num_registers=1))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed, spared = [], []
    for group in parameter_groups(model, 0.05):
        (decayed if group["weight_decay"] == 0.05 else spared).extend(group["params"])
    assert all(names[id(p)].endswith(".weight") and p.ndim == 2 for p in decayed)
    assert {"embeddings.class_token", "embeddings.registers"} <= {names[id(p)] for p in spared}
    assert any("relative_bias.table" in names[id(p)] for p in spared)
    assert len(decayed) + len(spared) == len(names)


def test_without_validation_and_with_a_callback(make_trainer):
    seen = []
    make_trainer(Recipe(epochs=2, batch_size=25), validation=False).fit(on_report=lambda record: seen.append(record))
    assert len(seen) == 2
    assert "validation_loss" not in seen[0]["epochs"][0]


def test_a_batch_that_cannot_be_shared_is_refused(make_trainer, monkeypatch):
    monkeypatch.setattr("course_utils.training.distributed.world_size", lambda: 4)
    with pytest.raises(ValueError, match="multiple of 4"):
        make_trainer(Recipe(steps=1, batch_size=10))


def test_the_progress_bar_shows_loss_and_accuracy(make_trainer, capsys):
    make_trainer(Recipe(epochs=1, batch_size=10), show_progress=True).fit()
    shown = capsys.readouterr().err
    assert "training" in shown
    assert "img/s" in shown


def test_a_run_on_images_with_two_sides_goes_on(make_trainer, tmp_path):
    config = ViTConfig(image_size=(8, 8), embed_dim=16, depth=1, num_heads=2, num_classes=4)
    recipe = Recipe(steps=2, batch_size=10)
    for _ in range(2):
        record = make_trainer(recipe, config, run_dir=tmp_path).fit(resume=True)
        assert record["status"] == "finished"
    assert record["config"]["image_size"] == [8, 8]  # a tuple comes back from the checkpoint as a list


def test_the_history_can_be_finer_than_a_pass(make_trainer):
    record = make_trainer(Recipe(epochs=2, batch_size=10), report_every=0.5).fit()
    assert [entry["epoch"] for entry in record["epochs"]] == [0.6, 1, 1.6, 2]  # 25 images are two and a half steps


def test_the_seconds_are_those_of_the_steps_alone(make_trainer, monkeypatch, tmp_path):
    clock = [0.0]
    trainer = make_trainer(Recipe(steps=7, batch_size=10), run_dir=tmp_path)
    monkeypatch.setattr("course_utils.training.trainer.time.perf_counter", lambda: clock[0])

    def taking(seconds, function):
        def slow(*arguments):
            clock[0] += seconds
            return function(*arguments)

        return slow

    trainer.learner.step = taking(1, trainer.learner.step)
    trainer.task.figures, trainer._save = taking(100, trainer.task.figures), taking(100, trainer._save)
    record = trainer.fit()
    assert record["seconds"] == 7
    assert [entry["seconds"] for entry in record["epochs"]] == [5, 7]
