"""FlexiViT: one set of weights at every patch size, and a training that draws the size of each step."""

import json

import pytest
import torch

from course_utils import VisionTransformer, ViTConfig
from course_utils.beyond.conv_stem import ConvStemConfig, ConvStemViT
from course_utils.beyond.flexivit import EveryPatchSize, FlexiClassification, FlexiViT, FlexiViTConfig
from course_utils.data import load_cifar10
from course_utils.model.resize import resize_patch_weight, resize_positions
from course_utils.support.files import load_tensors
from course_utils.training.recipes import Recipe
from course_utils.training.trainer import Trainer
from course_utils.zoo.weights import load_vit, save_weights

CONFIG = FlexiViTConfig(image_size=16, patch_size=4, embed_dim=16, depth=2, num_heads=2, base_grid=4)
RECIPE = Recipe(steps=6, batch_size=8, learning_rate=0.01, warmup=0.0, label_smoothing=0.0)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return FlexiViT(CONFIG).eval()


@pytest.mark.parametrize("patch_size", [2, 4, 8, 16])
def test_it_is_a_plain_vision_transformer_with_resized_weights(model, patch_size):
    images = torch.randn(3, 3, 16, 16)
    plain = model.at(patch_size)
    assert type(plain) is VisionTransformer
    assert type(plain.config) is ViTConfig
    assert plain.config.num_patches == (16 // patch_size) ** 2
    torch.testing.assert_close(plain(images), model(images, patch_size), rtol=0, atol=1e-6)
    state, held = plain.state_dict(), model.state_dict()
    weight = resize_patch_weight(held["embeddings.patch_embedding.projection.weight"], 3, patch_size)
    codes = resize_positions(held["embeddings.position_code"], (4, 4), plain.config.grid, 1)
    assert torch.equal(state["embeddings.patch_embedding.projection.weight"], weight)
    assert torch.equal(state["embeddings.position_code"], codes)


def test_without_a_patch_size_it_takes_that_of_the_settings(model):
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(model(images), model(images, 4))
    assert not torch.allclose(model(images), model(images, 8), atol=1e-5)


def test_no_shape_of_a_parameter_depends_on_the_patch_size(model):
    other = FlexiViT(CONFIG.replace(patch_size=8))
    assert {name: tensor.shape for name, tensor in other.state_dict().items()} == {
        name: tensor.shape for name, tensor in model.state_dict().items()
    }


def test_class_token_and_registers_stand_in_front_and_the_mean_needs_neither():
    images = torch.randn(2, 3, 16, 16)
    for changes in ({"num_registers": 3}, {"pooling": "mean"}, {"pooling": "attention"}):
        model = FlexiViT(CONFIG.replace(**changes)).eval()
        torch.testing.assert_close(model.at(8)(images), model(images, 8), rtol=0, atol=1e-6)


def test_a_rectangle_has_its_own_grid():
    config = CONFIG.replace(image_size=(16, 24), base_grid=(4, 6))
    model, images = FlexiViT(config).eval(), torch.randn(2, 3, 16, 24)
    assert model.at(8).config.grid == (2, 3)
    torch.testing.assert_close(model.at(8)(images), model(images, 8), rtol=0, atol=1e-6)


def test_every_size_teaches_the_kernel_and_the_codes_that_are_kept(model):
    for patch_size in (2, 4, 8, 16):
        model.zero_grad()
        model(torch.randn(2, 3, 16, 16), patch_size).square().sum().backward()
        for parameter in model.parameters():
            assert parameter.grad is not None
        assert model.embeddings.patch_embedding.projection.weight.grad.abs().max() > 0
        assert model.embeddings.position_code.grad.abs().max() > 0


def test_a_kernel_that_is_kept_small_sees_a_large_patch_as_coarsely():
    """Exact upwards is no merit by itself: of the 192 numbers of a patch of 8, only 2*2*3 mixtures are looked at."""
    for base, rank in ((2, 2 * 2 * 3), (4, 4 * 4 * 3), (8, 64)):
        model = FlexiViT(CONFIG.replace(base_patch_size=base, embed_dim=64))
        assert torch.linalg.matrix_rank(model.embeddings.resized(8)[0].detach().double(), rtol=1e-5) == rank


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"position": "rotary"}, "position cannot be 'rotary'"),
        ({"base_patch_size": 0}, "base_patch_size must be a whole number of at least 1"),
        ({"base_grid": (2, 0)}, "base_grid must be one whole number or two"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        CONFIG.replace(**changes)


def test_a_patch_size_that_does_not_fit_is_named(model):
    for call in (lambda: model(torch.zeros(1, 3, 16, 16), 5), lambda: model.at(5)):
        with pytest.raises(ValueError, match="patch_size 5 does not divide"):
            call()
    with pytest.raises(ValueError, match="takes images of shape"):
        model(torch.zeros(1, 3, 8, 8))


def test_saved_as_one_model_it_is_loaded_as_a_plain_one_where_maps_are_wanted(model, tmp_path):
    save_weights(model, tmp_path / "flexi.safetensors", half=False)
    plain = load_vit(tmp_path / "flexi.safetensors")
    images = torch.randn(2, 3, 16, 16)
    assert plain.config.patch_size == 4
    torch.testing.assert_close(plain(images), model(images), rtol=0, atol=1e-6)


# ------------------------------------------------------------------ the training


def small_trainer(folder=None, sizes=(8, 16), seed=3):
    torch.manual_seed(0)
    config = FlexiViTConfig(patch_size=8, embed_dim=16, depth=1, num_heads=2, dropout=0.2)
    task = FlexiClassification(load_cifar10("train", sample="always").subset(range(40)), None, sizes)
    return Trainer(FlexiViT(config), task, RECIPE, run_dir=folder, seed=seed, device="cpu", show_progress=False)


def sizes_seen(trainer, monkeypatch):
    seen, forward = [], trainer.model.forward

    def watched(images, patch_size=None):
        seen.append(patch_size)
        return forward(images, patch_size)

    monkeypatch.setattr(trainer.model, "forward", watched)
    return seen


def test_each_step_draws_a_size_and_the_seed_decides(monkeypatch):
    draws = {}
    for seed in (3, 3, 4):
        trainer = small_trainer(sizes=(2, 4, 8, 16), seed=seed)
        seen = sizes_seen(trainer, monkeypatch)
        trainer.fit()
        assert len(seen) == RECIPE.steps
        assert draws.setdefault(seed, seen) == seen
    assert draws[3] != draws[4]
    assert len(set(draws[3])) > 1


def test_all_sizes_come_equally_often():
    task = FlexiClassification(load_cifar10("train", sample="always").subset(range(40)), None, (2, 4, 8, 16))
    task.recipe = RECIPE
    seen = []
    torch.manual_seed(0)

    def model(images, patch_size):
        seen.append(patch_size)
        return torch.zeros(len(images), 10)

    for _ in range(2000):
        task.loss(model, torch.zeros(1, 3, 32, 32), torch.zeros(1, dtype=torch.long))
    for size in (2, 4, 8, 16):
        assert 400 < seen.count(size) < 600


def test_a_run_that_was_stopped_goes_on_bit_by_bit(tmp_path):
    whole = small_trainer(tmp_path / "whole")
    whole.fit()
    first = small_trainer(tmp_path / "parts")
    take_step, count = first._take_step, []

    def stop_after_three(bar):
        count.append(1)
        if len(count) == 4:
            raise KeyboardInterrupt
        due = take_step(bar)
        if len(count) == 3:
            first._save(bar)
        return due

    first._take_step = stop_after_three
    with pytest.raises(KeyboardInterrupt):
        first.fit()
    again = small_trainer(tmp_path / "parts")
    again.fit(resume=True)
    assert again.step == RECIPE.steps
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert load_tensors(tmp_path / "parts" / "checkpoint.safetensors")[1]["task"]["patch_sizes"] == [8, 16]


def test_the_figures_are_those_of_each_size_of_flexible_and_plain_models_alike():
    images = load_cifar10("test", sample="always").subset(range(30))
    trainer = small_trainer()
    found = trainer.task.figures(trainer.model, images)
    assert list(found) == ["loss", "accuracy", "accuracy_at_8", "accuracy_at_16"]
    assert found["accuracy"] == found["accuracy_at_8"]
    assert json.loads(json.dumps(found)) == found
    plain = trainer.model.at(16)
    task = EveryPatchSize(images, None, [16, 8])
    found_plain = task.figures(plain, images)
    assert found_plain["accuracy"] == found_plain["accuracy_at_16"] == found["accuracy_at_16"]


def test_a_size_comes_as_often_as_its_share_says(monkeypatch):
    task = FlexiClassification(load_cifar10("train", sample="always").subset(range(40)), None, (4, 8), (3, 1))
    task.recipe, seen = RECIPE, []
    torch.manual_seed(0)

    def model(images, patch_size):
        seen.append(patch_size)
        return torch.zeros(len(images), 10)

    for _ in range(1000):
        task.loss(model, torch.zeros(1, 3, 32, 32), torch.zeros(1, dtype=torch.long))
    assert 700 < seen.count(4) < 800
    assert task.describe()["task"] == {"name": "flexi_classification", "patch_sizes": [4, 8], "shares": [3, 1]}


@pytest.mark.parametrize("shares", [(1,), (1, 0), (1, -1), (1, 1, 1)])
def test_shares_that_do_not_fit_are_refused(shares):
    with pytest.raises(ValueError, match="shares must be 2 numbers above 0"):
        FlexiClassification(load_cifar10("train", sample="always"), None, (4, 8), shares)


def test_a_plain_model_becomes_flexible_and_says_the_same_at_its_own_size():
    torch.manual_seed(0)
    plain = VisionTransformer(ViTConfig(image_size=(16, 24), patch_size=4, embed_dim=16, depth=1, num_heads=2)).eval()
    model, images = FlexiViT.of(plain), torch.randn(2, 3, 16, 24)
    torch.testing.assert_close(model(images), plain(images), rtol=0, atol=1e-6)
    torch.testing.assert_close(model(images, 8), plain.with_patch_size(8)(images), rtol=0, atol=1e-5)
    assert not model.training
    with pytest.raises(ValueError, match="position cannot be 'rotary'"):
        FlexiViT.of(VisionTransformer(plain.config.replace(position="rotary")))
    with pytest.raises(ValueError, match="pass through no linear map"):
        FlexiViT.of(ConvStemViT(ConvStemConfig(image_size=16, patch_size=4, embed_dim=16, depth=1, num_heads=2)))


def test_no_size_at_all_is_refused():
    with pytest.raises(ValueError, match="patch_sizes is empty"):
        EveryPatchSize(load_cifar10("train", sample="always"), None, [])
