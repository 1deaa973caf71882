"""The door of the trainer: any task gets budget, resume, average and records; and what does not fit is refused."""

import json

import pytest
import torch
import torch.nn.functional as F
from other_tasks import Distillation, MaskedPixels, MeanTeacher, Painter, PainterConfig
from tiny_training import (
    CONFIG,
    Killed,
    after_step,
    assert_bit_equal,
    darkened,
    figures,
    kill_before,
    make_images,
    state_of,
    trainer_of,
)

from course_utils import VisionTransformer
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.data import CIFAR10_NORMALISATION, classes_of, normalisation_of, remember
from course_utils.training.recipes import Recipe
from course_utils.training.tasks import Classification, Task

RECIPE = Recipe(
    steps=11, batch_size=12, accumulate=2, crop_padding=1, cutmix=0.4, erasing=0.2, ema=0.8, learning_rate=3e-3
)
MODELS = {
    Classification: lambda dropout: VisionTransformer(CONFIG.replace(dropout=dropout)),
    Distillation: lambda dropout: VisionTransformer(CONFIG.replace(dropout=dropout)),
    MaskedPixels: lambda dropout: Painter(PainterConfig(dropout=dropout)),
    MeanTeacher: lambda dropout: VisionTransformer(CONFIG.replace(dropout=dropout)),
}
OWN = {
    Distillation: ("train_agreement", "validation_agreement"),
    MaskedPixels: ("train_hidden", "validation_error"),
    MeanTeacher: ("train_distance", "validation_loss", "validation_accuracy"),
}
each_task = pytest.mark.parametrize("kind", OWN, ids=lambda kind: kind.name)


def make(kind, recipe=RECIPE, dropout=0.1, **options):
    """A trainer for a task, with a freshly seeded model."""
    torch.manual_seed(0)
    return trainer_of(MODELS[kind](dropout), kind(make_images(), make_images(20, seed=1)), recipe, **options)


@each_task
def test_any_task_trains_and_its_history_has_its_own_figures(kind):
    record = make(kind, RECIPE.replace(epochs=30, batch_size=10, erasing=0.0, cutmix=0.0, clip_norm=0.0)).fit()
    first, last = record["epochs"][0], record["epochs"][-1]
    assert last["train_loss"] < 0.7 * first["train_loss"]
    told = {name for name in last if name.startswith(("train_", "validation_"))}
    assert told == {"train_loss", *OWN[kind]}
    assert record["task"]["name"] == kind.name
    assert record["data"]["images"] == 50


@each_task
@pytest.mark.parametrize("stop_at", [1, 5, 9])
def test_any_task_stopped_and_resumed_is_bit_equal(kind, stop_at, tmp_path, monkeypatch):
    whole = make(kind)
    expected = whole.fit()
    monkeypatch.setattr("course_utils.training.trainer.CHECKPOINT_SECONDS", 0.0)
    first = make(kind, run_dir=tmp_path)
    kill_before(first, stop_at)
    with pytest.raises(Killed):
        first.fit()
    second = make(kind, run_dir=tmp_path)
    record = second.fit(resume=True)
    assert_bit_equal(state_of(second), state_of(whole))
    assert figures(record) == figures(expected)
    assert second.averaged_model is not None
    average = second.averaged_model.state_dict()
    assert not all(torch.equal(average[name], value) for name, value in second.model.state_dict().items())


def test_a_task_is_called_after_each_step_and_what_it_keeps_is_in_the_checkpoint():
    """Otherwise the test above would say nothing of the teacher."""
    trainer = make(MeanTeacher)
    weight = trainer.model.head.weight
    by_hand = weight.detach().clone()
    after_step(trainer, lambda number: by_hand.lerp_(weight.detach(), 0.2))
    trainer.fit()
    kept = {name.removeprefix("task "): value for name, value in state_of(trainer).items() if name.startswith("task ")}
    assert kept.keys() == trainer.model.state_dict().keys()
    assert torch.equal(kept["head.weight"], by_hand)
    assert not torch.equal(by_hand, weight)


def test_to_measure_the_speed_leaves_the_teacher_as_it_was():
    by_time = make(MeanTeacher, RECIPE.replace(minutes=0.03))
    by_steps = make(MeanTeacher, RECIPE.replace(steps=by_time.fit()["total_steps"]))
    by_steps.fit()
    assert_bit_equal(state_of(by_time), state_of(by_steps))


@each_task
def test_micro_batches_change_any_task_by_rounding_alone(kind):
    losses = []
    for accumulate in (1, 3):
        recipe = RECIPE.replace(accumulate=accumulate, cutmix=0.0, epochs=2)
        record = make(kind, recipe, dropout=0.0).fit()
        losses.append([entry["train_loss"] for entry in record["epochs"]])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_workers_prepare_a_tasks_own_batches():
    alone, helped = make(MaskedPixels), make(MaskedPixels, workers=1)
    assert figures(alone.fit()) == figures(helped.fit())
    assert_bit_equal(state_of(alone), state_of(helped))


def test_masks_follow_seed_and_step():
    tasks = [make(MaskedPixels, seed=seed).task for seed in (0, 0, 1)]
    one, same, other = (task.batch(3, mixing=True)[1] for task in tasks)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one, tasks[0].batch(4, mixing=True)[1])


def test_a_checkpoint_of_another_task_is_refused_by_name(tmp_path):
    make(Classification, run_dir=tmp_path).fit()
    with pytest.raises(ValueError, match=r"its task is \{'name': 'classification'\}, but you asked for .*distillation"):
        make(Distillation, run_dir=tmp_path).fit(resume=True)


def test_a_task_needs_nothing_but_a_loss():
    class Brightness(Task):
        name = "brightness"

        def loss(self, model, *batch):
            images, _ = batch
            return {"loss": F.mse_loss(model(images)[:, 0], images.mean(dim=(1, 2, 3)))}

    trainer = trainer_of(SmallCNN(CNNConfig(width=4, stages=1)), Brightness(make_images(), make_images(20)), RECIPE)
    last = trainer.fit()["epochs"][-1]
    assert {name for name in last if name.startswith(("train_", "validation_"))} == {"train_loss"}


def test_what_a_callback_returns_stands_in_the_newest_entry(tmp_path):
    trainer = make(Classification, run_dir=tmp_path)
    seen = []

    def count(record):
        seen.append(len(record["epochs"]))
        return {"seen": len(seen)} if len(seen) != 2 else None

    record = trainer.fit(on_report=count)
    assert [entry.get("seen") for entry in record["epochs"]] == [1, None, 3]
    assert json.loads((tmp_path / "record.json").read_text())["epochs"] == record["epochs"]
    again = make(Classification, run_dir=tmp_path).fit(resume=True)
    assert again["epochs"] == record["epochs"]


# ---------------------------------------------------------------------- model and images are compared first


@pytest.mark.parametrize(
    ("images", "model", "sentence"),
    [
        ({}, lambda: VisionTransformer(CONFIG.replace(num_classes=2)), r"have 4 classes.*shape \(1, 2\), not \(1, 4\)"),
        ({}, lambda: VisionTransformer(CONFIG.replace(num_classes=100)), "make it with num_classes=4"),
        ({}, lambda: VisionTransformer(CONFIG.replace(num_classes=0)), r"the shape \(1, 16\), not \(1, 4\)"),
        ({}, lambda: SmallCNN(CNNConfig(width=4)), r"the shape \(1, 10\), not \(1, 4\)"),
        ({"size": 12}, lambda: VisionTransformer(CONFIG), r"takes images of shape \(B, 3, 8, 8\).*12"),
        ({"channels": 1}, lambda: VisionTransformer(CONFIG), r"takes images of shape \(B, 3, 8, 8\)"),
        ({"channels": 1}, lambda: SmallCNN(CNNConfig(width=4)), "This SmallCNN does not take images of 1x8x8: .* 3 "),
        ({"count": 0}, lambda: VisionTransformer(CONFIG), "no images to learn from: the training set is empty"),
    ],
)
def test_what_does_not_fit_is_said_before_the_first_step(images, model, sentence, tmp_path):
    model = model()
    with pytest.raises(ValueError, match=sentence) as error:
        trainer_of(model, Classification(make_images(**images)), RECIPE, run_dir=tmp_path / "run")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())
    assert not hasattr(model, "normalisation")  # what was refused leaves nothing behind
    assert not hasattr(model, "classes")


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        ({"classes": 5}, r"differ in their classes: \('a', 'b', 'c', 'd'\) and \('a', 'b', 'c', 'd', 'e'\)"),
        ({"size": 12}, r"differ in their shape: \(3, 8, 8\) and \(3, 12, 12\)"),
    ],
)
def test_validation_images_of_another_data_set_are_refused(images, sentence):
    with pytest.raises(ValueError, match=sentence):
        trainer_of(VisionTransformer(CONFIG), Classification(make_images(), make_images(20, **images)), RECIPE)


def test_a_model_that_was_refused_can_be_trained_on_what_fits():
    model, dark = VisionTransformer(CONFIG), darkened(make_images(classes=3))
    with pytest.raises(ValueError, match="3 classes"):
        trainer_of(model, Classification(dark), RECIPE)
    trainer_of(model, Classification(make_images()), RECIPE)
    assert normalisation_of(model) == make_images().normalisation


# ---------------------------------------------------------------------- fine-tuning


def test_a_model_that_knows_its_normalisation_keeps_it_and_the_record_says_so():
    model, images = VisionTransformer(CONFIG), make_images()
    remember(model, CIFAR10_NORMALISATION, tuple("wxyz"))
    trainer = trainer_of(model, Classification(images, make_images(20, seed=1)), RECIPE.replace(crop_padding=0))
    record = trainer.fit()
    assert normalisation_of(model) == CIFAR10_NORMALISATION
    assert record["normalisation"] == {
        "mean": list(CIFAR10_NORMALISATION.mean),
        "std": list(CIFAR10_NORMALISATION.std),
    }
    assert classes_of(model) == images.classes
    plain = RECIPE.replace(crop_padding=0, flip=False, cutmix=0.0, erasing=0.0)
    stream = trainer_of(model, Classification(images), plain).task.stream
    assert torch.equal(stream.batch(2)[0], CIFAR10_NORMALISATION(images.images[stream.indices(2)]))


def test_a_task_that_served_such_a_model_gives_a_fresh_one_its_own():
    known, fresh, task = VisionTransformer(CONFIG), VisionTransformer(CONFIG), Classification(make_images())
    remember(known, CIFAR10_NORMALISATION, None)
    for model in (known, fresh):
        trainer_of(model, task, RECIPE)
    assert normalisation_of(fresh) == make_images().normalisation


def test_a_fresh_model_takes_over_that_of_the_training_images():
    trainer = make(Classification)
    assert trainer.model.normalisation == make_images().normalisation
    assert trainer.record()["normalisation"]["mean"] == [0.4, 0.5, 0.6]
