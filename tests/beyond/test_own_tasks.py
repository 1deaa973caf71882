"""The tasks of lessons of part two in the trainer: stopped and resumed, cut up, shared by two processes, started from.

They are those of lesson 12 (distillation), lesson 13 (masked) and lesson 14 (dino).
"""

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_training import (
    CONFIG,
    Killed,
    after_step,
    assert_bit_equal,
    figures,
    kill_before,
    make_images,
    state_of,
    torchrun,
    trainer_of,
)

from course_utils import VisionTransformer
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.beyond.dino import Dino, DinoConfig, entropy, momentum_at, teacher_shares
from course_utils.beyond.distillation import Distillation, DistilledConfig, DistilledViT
from course_utils.beyond.masked import MaskedAutoencoder, MaskedConfig, MaskedImages
from course_utils.beyond.self_distillation import SelfDistillation
from course_utils.data import remember
from course_utils.training.recipes import Recipe

RECIPE = Recipe(steps=11, batch_size=12, accumulate=2, crop_padding=1, ema=0.8, learning_rate=3e-3)
BODY = {"image_size": 8, "patch_size": 2, "embed_dim": 16, "depth": 2, "num_heads": 2}
VIEWS = {"small_views": 2, "small_size": 4, "frozen": 0.2}


def masked(dropout):
    return MaskedAutoencoder(MaskedConfig(**BODY, dropout=dropout, decoder_dim=8, decoder_heads=2))


def dino(dropout):
    return Dino(DinoConfig(**BODY, dropout=dropout, outputs=12, head_hidden=10, head_bottleneck=6))


def distilled(dropout):
    return DistilledViT(DistilledConfig(**BODY, dropout=dropout, num_classes=4))


def teacher():
    torch.manual_seed(99)
    model = SmallCNN(CNNConfig(num_classes=4, width=4, stages=2)).eval().requires_grad_(False)
    remember(model, make_images().normalisation, tuple("abcd"))
    return model


TASKS = {
    Distillation: (
        distilled,
        {"teacher": teacher(), "way": "hard"},
        {f"{part}_{name}" for part in ("train", "validation") for name in ("loss", "accuracy", "agreement")},
    ),
    MaskedImages: (masked, {}, {"train_loss", "validation_loss"}),
    SelfDistillation: (
        dino,
        VIEWS,
        {f"{part}_{name}" for part in ("train", "validation") for name in ("loss", "entropy", "batch_entropy", "kl")}
        | {"validation_knn_accuracy"},
    ),
}
WITHOUT_LABELS = (MaskedImages, SelfDistillation)
each_task = pytest.mark.parametrize("kind", TASKS, ids=lambda kind: kind.name)


def make(kind, recipe=RECIPE, dropout=0.1, settings=None, **options):
    """A trainer for a task, with a freshly seeded model."""
    model, usual, _ = TASKS[kind]
    torch.manual_seed(0)
    task = kind(make_images(), make_images(20, seed=1), **usual | (settings or {}))
    return trainer_of(model(dropout), task, recipe, **options)


@each_task
def test_the_history_tells_its_figures(kind):
    record = make(kind).fit()
    last = record["epochs"][-1]
    assert {name for name in last if name.startswith(("train_", "validation_"))} == TASKS[kind][2]
    assert record["task"]["name"] == kind.name


@each_task
@pytest.mark.parametrize("stop_at", [1, 5, 9])
def test_stopped_and_resumed_is_bit_equal(kind, stop_at, tmp_path, monkeypatch):
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


def test_teacher_centre_and_step_are_in_what_was_compared():
    state = state_of(make(SelfDistillation))
    assert {"model centre", "task step", "model teacher.head.last.weight"} <= state.keys()


@each_task
def test_micro_batches_change_it_by_rounding_alone(kind):
    found = []
    for accumulate in (1, 3):
        trainer = make(kind, RECIPE.replace(accumulate=accumulate, epochs=2, ema=0.0), dropout=0.0)
        losses = [entry["train_loss"] for entry in trainer.fit()["epochs"]]
        found.append((losses, state_of(trainer)))
    (one, state), (other, other_state) = found
    assert one == pytest.approx(other, rel=1e-4)
    for name, value in state.items():
        assert torch.allclose(value.double(), other_state[name].double(), atol=2e-3), name


@each_task
def test_workers_prepare_the_same_batches(kind):
    alone, helped = make(kind), make(kind, workers=1)
    assert figures(alone.fit()) == figures(helped.fit())
    assert_bit_equal(state_of(alone), state_of(helped))


@pytest.mark.parametrize("kind", WITHOUT_LABELS)
def test_a_batch_follows_seed_and_step(kind):
    tasks = [make(kind, seed=seed).task for seed in (0, 0, 1)]
    one, same, other = (task.batch(3, mixing=True)[1] for task in tasks)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one, tasks[0].batch(4, mixing=True)[1])


@pytest.mark.parametrize("kind", WITHOUT_LABELS)
def test_a_model_of_another_kind_is_refused_by_name(kind):
    with pytest.raises(ValueError, match=f"{kind.name} trains a .*, and this is a VisionTransformer"):
        trainer_of(VisionTransformer(CONFIG), kind(make_images()), RECIPE)


@pytest.mark.parametrize("kind", WITHOUT_LABELS)
def test_images_of_another_size_are_refused_before_the_first_step(kind):
    with pytest.raises(ValueError, match="12"):
        trainer_of(TASKS[kind][0](0.0), kind(make_images(size=12)), RECIPE)


def test_hidden_patches_are_learned():
    record = make(
        MaskedImages, RECIPE.replace(epochs=40, batch_size=10, ema=0.0, learning_rate=5e-3), dropout=0.0
    ).fit()
    first, last = record["epochs"][0], record["epochs"][-1]
    assert last["validation_loss"] < 0.95 * first["validation_loss"]


def test_a_student_comes_near_to_its_teacher():
    """Its loss need not fall: the teacher moves on."""
    recipe = RECIPE.replace(epochs=40, batch_size=10, ema=0.0, learning_rate=5e-3)
    record = make(SelfDistillation, recipe, dropout=0.0).fit()
    first, last = record["epochs"][0], record["epochs"][-1]
    assert last["validation_kl"] < 0.5 * first["validation_kl"]


def test_masks_are_drawn_anew_for_each_image():
    task = make(MaskedImages).task
    _, order = task.batch(0, mixing=True)
    assert order.shape == (12, 16)
    assert task.visible == 4
    assert len(order[:, :4].sort(dim=1).values.unique(dim=0)) > 6


def test_validation_hides_the_same_patches_each_time():
    trainer = make(MaskedImages)
    found = [trainer.task.figures(trainer.model, make_images(20)) for _ in range(2)]
    assert found[0] == found[1]


# ---------------------------------------------------------------------- DINO: who moves when


def test_centre_teacher_and_last_layer_move_as_they_should():
    trainer = make(
        SelfDistillation, RECIPE.replace(ema=0.0), settings={"centre_momentum": 0.7, "teacher_momentum": 0.9}
    )
    model, task = trainer.model, trainer.task
    slow = model.student.encoder.embeddings.position_code.detach().clone()
    centre, last = torch.zeros(12), model.student.head.last.weight.detach().clone()
    logits, moved = [], []

    def keep(module, inputs, output):
        if output.shape[1] == 2:  # a look at whole images has one view
            logits.append(output)

    model.teacher.register_forward_hook(keep)

    def check(number):
        nonlocal slow, centre
        momentum = momentum_at(number, 11, 0.9)
        slow = momentum * slow + (1 - momentum) * model.student.encoder.embeddings.position_code.detach()
        centre = 0.7 * centre + 0.3 * torch.cat(logits).mean(dim=(0, 1))
        assert sum(map(len, logits)) == 12  # two micro-batches
        logits.clear()
        assert torch.allclose(model.teacher.encoder.embeddings.position_code, slow, atol=1e-6)
        assert torch.allclose(model.centre, centre, atol=1e-6)
        directions = [torch.nn.functional.normalize(each, dim=1) for each in (last, model.student.head.last.weight)]
        moved.append(not torch.allclose(*directions, atol=1e-6))

    after_step(trainer, check)
    trainer.fit()
    assert moved == [False] * 3 + [True] * 8  # frozen: 0.2 of 11 steps, so the steps 0, 1 and 2
    assert task.step == 11


def test_without_centring_the_centre_is_not_taken_away():
    trainer = make(SelfDistillation, settings={"centring": False})
    model = trainer.model
    model.centre += torch.randn(12)
    views = trainer.task.batch(0, mixing=False)
    _, teacher = model(*views)
    shares = teacher_shares(teacher, torch.zeros(12), 0.04)
    found = trainer.task.loss(model, *views)
    assert found["entropy"].item() == pytest.approx(entropy(shares).mean().item(), rel=1e-5)
    assert found["batch_entropy"].item() == pytest.approx(entropy(shares.mean(dim=(0, 1))).item(), rel=1e-5)
    assert found["kl"].item() == pytest.approx(found["loss"].item() - found["entropy"].item(), rel=1e-5)


def test_neighbours_are_looked_for_among_the_training_images(monkeypatch):
    """The classes differ in brightness, which the views keep: so even a short training finds them."""
    monkeypatch.setattr("course_utils.beyond.self_distillation.KNOWN", 30)
    trainer = make(SelfDistillation, RECIPE.replace(ema=0.0))
    asked = []
    monkeypatch.setattr(
        "course_utils.beyond.self_distillation.knn",
        lambda features, labels, queries, k: asked.append((features.shape, labels, queries.shape, k)) or
        torch.nn.functional.one_hot(torch.arange(20) % 4),
    )  # fmt: skip
    found = trainer.task.figures(trainer.model, make_images(20))
    assert found["knn_accuracy"] == 1
    features, labels, queries, k = asked[0]
    assert (features, queries, k) == ((25, 16), (20, 16), 20)
    assert torch.equal(labels, make_images().labels[::2])


@pytest.mark.parametrize(
    ("settings", "recipe", "words"),
    [
        ({"teacher_temperature": 0.0}, {}, "must be above 0"),
        ({"frozen": 1.5}, {}, "must be numbers from 0 to 1"),
        ({"small_size": 5}, {}, "patch_size 2 does not divide small_size 5"),
        ({}, {"minutes": 1.0}, "needs a budget in steps or epochs"),
    ],
)
def test_impossible_settings_are_refused(settings, recipe, words):
    with pytest.raises(ValueError, match=words):
        make(SelfDistillation, RECIPE.replace(**recipe), settings=settings)


def test_an_image_size_of_two_numbers_is_refused_by_dino():
    model = Dino(DinoConfig(**BODY | {"image_size": (8, 12)}))
    images = make_images(size=12)
    with pytest.raises(ValueError, match="be square"):
        trainer_of(model, SelfDistillation(replace(images, images=images.images[:, :, :8])), RECIPE)


# ---------------------------------------------------------------------- two processes


SCRIPT = """
    import sys, torch
    sys.path[:0] = [{tests!r}, {here!r}]
    from test_own_tasks import RECIPE, TASKS
    from tiny_training import make_images
    from course_utils.training import distributed
    from course_utils.training.trainer import Trainer

    torch.set_num_threads(1)
    kind = next(kind for kind in TASKS if kind.name == {name!r})
    model, settings, _ = TASKS[kind]
    with distributed.process_group():
        torch.manual_seed(distributed.rank())  # DistributedDataParallel must bring the weights into step
        task = kind(make_images(), make_images(20, seed=1), **settings)
        trainer = Trainer(model(0.0), task, RECIPE.replace(epochs=3, ema=0.0), device="cpu", precision="fp32",
                          run_dir={run_dir!r}, show_progress=False)
        trainer.fit()
"""


def fitted(tmp_path, name, processes):
    run_dir, script = tmp_path / str(processes), tmp_path / f"train_{processes}.py"
    here = Path(__file__).parent
    places = {"tests": str(here.parent), "here": str(here), "run_dir": str(run_dir)}
    script.write_text(textwrap.dedent(SCRIPT).format(name=name, **places))
    record = torchrun(script, processes, run_dir)
    return [[entry["train_loss"], entry["validation_loss"]] for entry in record["epochs"]]


@each_task
def test_two_processes_learn_what_one_learns(kind, tmp_path):
    alone, together = (fitted(tmp_path, kind.name, processes) for processes in (1, 2))
    assert len(alone) == 3
    assert torch.tensor(together).flatten().tolist() == pytest.approx(torch.tensor(alone).flatten().tolist(), rel=1e-3)
