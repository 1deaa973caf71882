"""Layers from the images to the head: which are frozen, how fast each moves, and that a run can still be resumed."""

import signal

import pytest
import torch
from tiny_training import CONFIG, after_step, make_images, make_trainer, trainer_of

from course_utils import VisionTransformer
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.checks import finetuning as checks
from course_utils.checks.finetuning.trained import part_of
from course_utils.training.layers import frozen, frozen_names, layer_numbers, rate_shares
from course_utils.training.optimisers import make_optimizer, parameter_groups
from course_utils.training.recipes import RECIPES, Recipe
from course_utils.training.tasks import Classification

FEW = Recipe(steps=4, batch_size=10)
TWELVE = CONFIG.replace(depth=12)


def weights_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_layers_are_numbered_from_the_images_to_the_head():
    model = VisionTransformer(TWELVE.replace(position="relative", pooling="attention"))
    numbers = layer_numbers(model)
    assert numbers.keys() == dict(model.named_parameters()).keys()
    assert numbers["embeddings.patch_embedding.projection.weight"] == 0
    assert numbers["encoder.blocks.1.norm1.weight"] == 2
    assert numbers["encoder.blocks.11.attention.relative_bias.table"] == 12
    assert numbers["encoder.norm.weight"] == numbers["pool.score.weight"] == 12
    assert numbers["head.bias"] == 13


def test_only_the_chosen_layers_move():
    for blocks, still in (
        (0, set()),
        (1, {"embeddings", "block 0"}),
        (2, {"embeddings", "block 0", "block 1", "last norm"}),
    ):
        trainer = make_trainer(FEW.replace(freeze=blocks, weight_decay=0.5))
        before = weights_of(trainer.model)
        trainer.fit()
        moved = {part_of(name) for name in changed(before, trainer.model.state_dict())}
        assert moved == {"embeddings", "block 0", "block 1", "last norm", "head"} - still


def test_frozen_names_are_those_of_the_exercise():
    model = VisionTransformer(TWELVE)
    checks.freeze.answer(model, 2)
    assert frozen_names(model, 2) == {name for name, p in model.named_parameters() if not p.requires_grad}


def test_rates_are_those_of_the_exercise():
    model = VisionTransformer(TWELVE)
    by_hand = {id(p): g["lr"] for g in checks.parameter_groups.answer(model, 1.0, 0.7) for p in g["params"]}
    shares = rate_shares(model, FEW.replace(layer_decay=0.7))
    assert {id(p): pytest.approx(shares[name]) for name, p in model.named_parameters()} == by_hand


def test_the_rate_of_the_body_is_a_share_of_the_heads():
    shares = rate_shares(VisionTransformer(CONFIG), FEW.replace(backbone_rate=0.1, layer_decay=0.5))
    assert shares["head.weight"] == 1
    assert shares["encoder.blocks.1.norm1.weight"] == pytest.approx(0.05)
    assert shares["embeddings.class_token"] == pytest.approx(0.1 * 0.5**3)


def test_a_step_is_as_long_as_its_share_says():
    """With Adam's first step, every number moves by the learning rate, whatever its gradient."""
    recipe = Recipe(steps=1, batch_size=10, warmup=0, weight_decay=0, learning_rate=0.01, layer_decay=0.5)
    trainer = make_trainer(recipe)
    before = weights_of(trainer.model)
    trainer.fit()
    after = trainer.model.state_dict()
    for name, share in (("head.weight", 1), ("encoder.norm.weight", 0.5), ("encoder.blocks.0.mlp.fc1.weight", 0.25)):
        moved = (after[name] - before[name]).abs()
        assert moved.median() == pytest.approx(0.01 * share, rel=0.01), name


def test_without_different_rates_the_groups_are_the_old_ones():
    """So an optimiser's state in an older checkpoint belongs to the same parameters."""
    model = VisionTransformer(CONFIG)
    groups = parameter_groups(model, 0.1)
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(8, 0.1), (2, 0.1), (22, 0.0)]
    made = make_optimizer(model, FEW, fused=True).param_groups
    assert [[id(p) for p in g["params"]] for g in made] == [[id(p) for p in g["params"]] for g in groups]
    assert {group["share"] for group in made} == {1.0}


def test_every_parameter_is_in_one_group_whatever_the_rates():
    model = VisionTransformer(CONFIG)
    for optimizer in ("adamw", "muon"):
        made = make_optimizer(model, FEW.replace(layer_decay=0.5, optimizer=optimizer), fused=True)
        assert sorted(id(p) for g in made.param_groups for p in g["params"]) == sorted(map(id, model.parameters()))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_resumed_fine_tuning_is_the_uninterrupted_one_bit_by_bit(optimizer, tmp_path):
    recipe = FEW.replace(steps=6, freeze=1, layer_decay=0.5, optimizer=optimizer, ema=0.9)
    whole = make_trainer(recipe)
    whole.fit()
    stopped = make_trainer(recipe, run_dir=tmp_path)
    after_step(stopped, lambda number: signal.raise_signal(signal.SIGINT) if number == 2 else None)
    assert stopped.fit()["status"] == "unfinished"
    resumed = make_trainer(recipe, run_dir=tmp_path)
    assert resumed.fit(resume=True)["status"] == "finished"
    assert not changed(whole.model.state_dict(), resumed.model.state_dict())
    assert not changed(whole.averaged_model.state_dict(), resumed.averaged_model.state_dict())


def test_nothing_stays_frozen_after_the_training():
    trainer = make_trainer(FEW.replace(freeze=2))
    trainer.fit()
    assert all(parameter.requires_grad for parameter in trainer.model.parameters())
    before = weights_of(trainer.model)
    trainer_of(trainer.model, Classification(make_images()), FEW).fit()  # a second training, of all of it
    assert changed(before, trainer.model.state_dict()) == set(before)


def test_what_somebody_froze_stays_frozen():
    model = VisionTransformer(CONFIG)
    model.embeddings.class_token.requires_grad_(False)
    with frozen(model, 1):
        pass
    assert not model.embeddings.class_token.requires_grad


def test_early_patches_and_freezing_go_together():
    trainer = make_trainer(FEW.replace(freeze=1, early_patch_size=8, early=0.5))
    before = weights_of(trainer.model)
    trainer.fit()
    moved = {part_of(name) for name in changed(before, trainer.model.state_dict())}
    assert moved == {"block 1", "last norm", "head"}


def test_a_task_without_a_head_can_have_rates_by_layer():
    model = VisionTransformer(CONFIG.replace(num_classes=0))
    assert rate_shares(model, FEW.replace(layer_decay=0.5))["encoder.norm.bias"] == 0.5
    with pytest.raises(ValueError, match="Nothing would be left"):
        frozen_names(model, 2)


def test_what_cannot_be_frozen_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="freeze 3 is more than the 2 blocks"):
        make_trainer(FEW.replace(freeze=3))
    with pytest.raises(ValueError, match="SmallCNN has no transformer blocks"):
        trainer_of(SmallCNN(CNNConfig(num_classes=4)), Classification(make_images()), FEW.replace(layer_decay=0.5))
    with pytest.raises(ValueError, match="layer_decay must be a number above 0 and at most 1"):
        Recipe(steps=1, layer_decay=1.5)


def test_the_record_says_what_was_frozen_and_from_what_it_started():
    trainer = make_trainer(FEW.replace(freeze=1), start={"weights": "somewhere"})
    record = trainer.fit()
    assert (record["recipe"]["freeze"], record["start"]) == (1, {"weights": "somewhere"})


def test_a_checkpoint_from_before_these_settings_can_be_resumed(tmp_path, monkeypatch):
    first = make_trainer(FEW, run_dir=tmp_path)
    identity = first._identity

    def older():
        found = identity()
        for name in ("freeze", "backbone_rate", "layer_decay"):
            del found["recipe"][name]
        del found["start"]
        return found

    monkeypatch.setattr(first, "_identity", older)
    after_step(first, lambda number: signal.raise_signal(signal.SIGINT) if number == 1 else None)
    first.fit()
    resumed = make_trainer(FEW, run_dir=tmp_path)
    assert resumed.fit(resume=True)["status"] == "finished"
    with pytest.raises(ValueError, match="its recipe is"):
        make_trainer(FEW.replace(freeze=1), run_dir=tmp_path).fit(resume=True)
    with pytest.raises(ValueError, match="its start is None"):
        make_trainer(FEW, run_dir=tmp_path, start={"weights": "x"}).fit(resume=True)


def test_the_recipe_for_fine_tuning_leaves_the_first_layer_as_it_was():
    assert RECIPES["fine-tune"].whitening == 0
    assert RECIPES["fine-tune"].layer_decay < 1
