"""A model takes the normalisation that it was trained with wherever it goes, and nobody has to name it again."""

import pytest
import torch
from tiny_training import CONFIG, darkened, make_images, trainer_of

from course_utils import VisionTransformer
from course_utils.analysis import attention_maps
from course_utils.analysis.evaluation import accuracy, predict
from course_utils.analysis.snapshots import Snapshots, load_snapshots
from course_utils.beyond.conv_stem import ConvStemConfig, ConvStemViT
from course_utils.data import CIFAR10_NORMALISATION, classes_of, normalisation_of, remember
from course_utils.explore import AttentionExplorer, BlockExplorer
from course_utils.explore.attention import attend
from course_utils.model.resize import AtPatchSize
from course_utils.report import attention_figure, write_report
from course_utils.training.recipes import Recipe
from course_utils.training.tasks import Classification
from course_utils.zoo.weights import load_weights, save_weights

RECIPE = Recipe(epochs=40, batch_size=25, learning_rate=3e-3, crop_padding=0, label_smoothing=0.0, ema=0.9)
TRAIN, SEEN_LATER = darkened(make_images()), darkened(make_images(80, seed=1))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that learned from dark pictures, its record, and its snapshots."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("dark")
    trainer = trainer_of(VisionTransformer(CONFIG), Classification(TRAIN, SEEN_LATER), RECIPE)
    snapshots = Snapshots(trainer.model, SEEN_LATER, folder / "snapshots.safetensors")
    record = trainer.fit(on_report=snapshots)
    return trainer, record, folder


@pytest.fixture
def model(trained):
    return trained[0].model


@pytest.fixture
def misled(model):
    """The same model, taken to have seen CIFAR-10: what it says then is something else."""
    other = VisionTransformer(CONFIG)
    other.load_state_dict(model.state_dict())
    remember(other, CIFAR10_NORMALISATION, model.classes)
    return other.eval()


@pytest.mark.parametrize("half", [False, True])
def test_a_loaded_model_has_the_accuracy_that_it_had_in_training(half, trained, misled, tmp_path):
    trainer, record, _ = trained
    save_weights(trainer.model, tmp_path / "weights.safetensors", record, half=half)
    loaded = load_weights(tmp_path / "weights.safetensors")
    found = accuracy(predict(loaded, SEEN_LATER.images), SEEN_LATER.labels)
    recorded = record["epochs"][-1]["validation_accuracy"]
    assert recorded > 0.9
    assert found == (recorded if not half else pytest.approx(recorded, abs=0.02))
    assert accuracy(predict(misled, SEEN_LATER.images), SEEN_LATER.labels) < recorded - 0.2
    if not half:
        assert torch.equal(predict(loaded, SEEN_LATER.images), predict(trainer.model, SEEN_LATER.images))


def test_it_is_that_of_the_training_images_in_record_and_model(trained):
    trainer, record, _ = trained
    assert normalisation_of(trainer.model) == TRAIN.normalisation
    assert record["normalisation"] == {"mean": list(TRAIN.normalisation.mean), "std": list(TRAIN.normalisation.std)}
    assert classes_of(trainer.model) == TRAIN.classes


@pytest.mark.parametrize(
    "derive",
    [
        lambda trainer: trainer.model.with_image_size(16),
        lambda trainer: trainer.model.with_patch_size(2),
        lambda trainer: trainer.averaged_model,
        lambda trainer: torch.compile(trainer.model),
        lambda trainer: AtPatchSize(trainer.model, 8),
        lambda trainer: AtPatchSize(trainer.model, 8)._frame[0],
    ],
    ids=["image size", "patch size", "average", "compiled", "other patches at work", "their frame"],
)
def test_what_is_made_from_a_model_knows_it_too(derive, trained):
    made = derive(trained[0])
    assert normalisation_of(made) == TRAIN.normalisation
    assert classes_of(made) == TRAIN.classes


def test_a_model_of_a_class_made_from_ours_keeps_it_when_resized():
    stem = ConvStemViT(ConvStemConfig.from_dict(CONFIG.to_dict()))
    remember(stem, TRAIN.normalisation, TRAIN.classes)
    assert normalisation_of(stem.with_image_size(16)) == TRAIN.normalisation


def test_early_patches_are_at_work_with_the_models_own():
    recipe = Recipe(steps=3, batch_size=10, early_patch_size=8, early=0.9)
    learner = trainer_of(VisionTransformer(CONFIG), Classification(TRAIN), recipe).learner
    assert learner.at_work is not learner.model
    assert normalisation_of(learner.at_work) == TRAIN.normalisation
    assert classes_of(learner.at_work) == TRAIN.classes


def test_what_a_compiled_model_is_told_the_model_inside_knows():
    model = VisionTransformer(CONFIG)
    remember(torch.compile(model), TRAIN.normalisation, TRAIN.classes)
    assert normalisation_of(model) == TRAIN.normalisation
    assert classes_of(model) == TRAIN.classes


def test_bytes_for_a_model_that_knows_none_are_refused_in_one_sentence():
    model, images = VisionTransformer(CONFIG), TRAIN.images[:2]
    sentence = "This VisionTransformer does not know how its images are normalised: give it floats"
    for ask in (
        lambda: predict(model, images),
        lambda: attend(model, images[0]),
        lambda: attention_figure(_with_classes(model), images, ["a", "b"]),
        lambda: BlockExplorer.from_model(model, images, ["a", "b"]),
        lambda: AttentionExplorer.from_model(_with_classes(model), images, ["a", "b"]),
        lambda: Snapshots(model, SEEN_LATER, "nowhere"),
    ):
        with pytest.raises(ValueError, match=sentence) as error:
            ask()
        assert "\n" not in str(error.value)


def _with_classes(model):
    remember(model, None, TRAIN.classes)
    return model


# ---------------------------------------------------------------------- who looks at a model asks it


def test_the_attention_explorer_shows_the_model_as_it_was_trained(model, misled):
    images, names = SEEN_LATER.images[:2], ["a", "b"]
    explorer, other = (AttentionExplorer.from_model(each, images, names) for each in (model, misled))
    probability = predict(model, images[:1]).softmax(dim=1).max().item()
    assert explorer.answer[0][1] == pytest.approx(probability, abs=1e-6)
    assert other.weights != explorer.weights
    assert {name for name, _ in explorer.answer} <= set(TRAIN.classes)


def test_the_block_explorer_shows_the_model_as_it_was_trained(model, misled):
    images, names = SEEN_LATER.images[:2], ["a", "b"]
    explorer, other = (BlockExplorer.from_model(each, images, names) for each in (model, misled))
    probability = predict(model, images[:1]).softmax(dim=1).max().item()
    assert explorer.early[-1][1] == pytest.approx(probability, abs=1e-6)
    assert other.lengths != explorer.lengths


def test_snapshots_show_the_model_as_it_was_trained(trained, misled):
    trainer, record, folder = trained
    tensors, _ = load_snapshots(folder / "snapshots.safetensors")
    torch.testing.assert_close(tensors["logits"][-1], predict(trainer.model, tensors["pictures"]))
    right = tensors["confusion"][-1].diagonal().sum() / len(SEEN_LATER)
    assert right.item() == pytest.approx(record["epochs"][-1]["validation_accuracy"])
    for each, same in ((trainer.model, True), (misled, False)):
        weights = attention_maps.collect(each, normalisation_of(each)(tensors["pictures"]))
        entropy = attention_maps.attention_entropy(weights)
        assert torch.allclose(tensors["attention_entropy"][-1], entropy, atol=1e-5) == same


def test_the_report_shows_the_model_as_it_was_trained(trained, misled, tmp_path):
    trainer, record, _ = trained
    written = write_report(tmp_path, trainer.model, record, SEEN_LATER, trainer.averaged_model)
    recorded = record["epochs"][-1]["validation_accuracy"]
    assert written["test"]["last_weights"]["accuracy"] == recorded
    for name in ("weights", "weights_average"):
        assert normalisation_of(load_weights(tmp_path / f"{name}.safetensors")) == TRAIN.normalisation

    images = SEEN_LATER.images[:3]
    figures = [attention_figure(each, images, ["a", "b", "c"]) for each in (trainer.model, misled)]
    probability, label = predict(trainer.model, images).softmax(dim=1).max(dim=1)
    says = [f"says {TRAIN.classes[k]}, {p:.0%}" for k, p in zip(label.tolist(), probability.tolist(), strict=True)]
    captions = ["\n".join(axes.get_title() for axes in figure.axes) for figure in figures]
    assert all(caption in captions[0] for caption in says)
    assert not all(caption in captions[1] for caption in says)
    drawn = [figure.axes[2].images[0].get_array() for figure in figures]  # of the first picture: the map alone
    for each, values in zip((trainer.model, misled), drawn, strict=True):
        weights = attention_maps.collect(each, normalisation_of(each)(images), layers=[1])[:, 0].mean(dim=1)
        maps = attention_maps.class_token_map(weights, (2, 2), (8, 8), num_prefix_tokens=1)
        assert torch.allclose(torch.as_tensor(values), maps[0], atol=1e-6)
    assert abs(drawn[0] - drawn[1]).max() > 1e-3
