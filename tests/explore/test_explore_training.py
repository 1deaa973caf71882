"""The training explorer shows the numbers of its snapshots, and says in words what they show."""

import math

import numpy as np
import pytest
import torch
from traitlets import TraitError

from course_utils.analysis.evaluation import accuracy
from course_utils.analysis.snapshots import load_snapshots
from course_utils.explore.training import TrainingExplorer, curves_of, describe, name_epochs, name_pictures

T, P, K, L = 3, 4, 2, 2  # snapshots, pictures, classes, layers


@pytest.fixture
def snapshots():
    """Three snapshots of an untrained, a wrong and a better model, on a grid of 1 x 2 patches."""
    logits = torch.tensor(
        [[[2.0, 0], [2, 0], [2, 0], [2, 0]], [[0, 1], [3, 0], [1, 0], [0, 1]], [[2, 0], [0, 1], [0, 1], [0, 3]]]
    )
    return {
        "epochs": torch.tensor([0.0, 1.0004, 1.5]),
        "labels": torch.tensor([0, 0, 1, 1]),
        "logits": logits,  # (T, P, K)
        "pictures": torch.randint(0, 256, (P, 3, 4, 8), dtype=torch.uint8),
        "confusion": torch.tensor([[[5, 0], [5, 0]], [[3, 2], [1, 4]], [[4, 1], [0, 5]]]),  # (T, K, K)
        "class_maps": torch.rand(T, P, L, 1, 2).half() / 2,
    }


@pytest.fixture
def record():
    config = {"image_size": (4, 8), "patch_size": 4, "num_classes": K, "embed_dim": 8, "depth": L, "num_heads": 2}
    epochs = [
        {
            "epoch": 1.0004,
            "train_loss": 0.7,
            "train_accuracy": 0.6,
            "validation_loss": 0.65,
            "validation_accuracy": 0.7,
        },
        {"epoch": 1.5, "train_loss": 0.5, "train_accuracy": None},
    ]
    return {"config": config, "data": {"classes": ["cat", "dog"]}, "epochs": epochs}


@pytest.fixture
def explorer(snapshots, record):
    return TrainingExplorer(snapshots, record)


def array(explorer, name, kind):
    return np.frombuffer(getattr(explorer, name), kind)


def test_what_was_not_recorded_is_not_a_number(snapshots, record):
    train_loss, validation_loss, train_accuracy, validation_accuracy = curves_of(
        record, snapshots["epochs"], snapshots["confusion"]
    ).tolist()
    assert [train_loss[1:], validation_loss[1], train_accuracy[1]] == [
        pytest.approx([0.7, 0.5]),
        pytest.approx(0.65),
        pytest.approx(0.6),
    ]
    unknown = (train_loss[0], validation_loss[0], train_accuracy[0], validation_loss[2], train_accuracy[2])
    assert all(map(math.isnan, unknown))
    assert validation_accuracy == pytest.approx([0.5, 0.7, 0.9])  # each snapshot has its own


def test_the_curves_of_the_shipped_run_are_those_of_its_record():
    snapshots, record = load_snapshots("cifar_micro")
    curves = curves_of(record, snapshots["epochs"], snapshots["confusion"])
    assert curves.shape == (4, len(snapshots["epochs"]))
    for row, name in enumerate(("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")):
        assert curves[row, 1:].tolist() == pytest.approx([entry[name] for entry in record["epochs"]], abs=1e-6)


def test_names_are_short_and_tell_pictures_apart():
    assert name_epochs(torch.tensor([0.0, 1.0012, 17.9996, 2.31])) == ["0", "1", "18", "2.3"]
    assert name_pictures([1, 0, 1], ["cat", "dog"]) == ["dog 1", "cat 1", "dog 2"]


def test_the_words_say_how_many_are_right_and_who_changed():
    says = torch.tensor([[0, 0, 2, 2], [1, 0, 1, 0], [0, 0, 1, 0]])
    names = ["cat 1", "cat 2", "dog 1", "dog 2"]
    words = describe(["0", "1", "2"], torch.tensor([0.25, 0.5, 0.8125]), 1600, says, torch.tensor([0, 0, 1, 1]), names)
    assert words == [
        "Untrained: 25.0% of 1,600 validation images are right, and 2 of the 4 pictures below.",
        "After epoch 1 of 2: 50.0% of 1,600 validation images are right, and 2 of the 4 pictures below. Since the "
        "untrained model, now right: dog 1; no longer right: cat 1; another wrong answer: 1 picture.",
        "After epoch 2 of 2: 81.2% of 1,600 validation images are right, and 3 of the 4 pictures below. Since epoch 1, "
        "now right: cat 1.",
    ]
    same = describe(["0", "1"], torch.ones(2), 9, says[:1].expand(2, 4), torch.zeros(4), names)
    assert same[1].endswith("Since the untrained model, no answer changed.")


def test_the_browser_gets_the_numbers_of_the_snapshots(explorer, snapshots):
    shares = array(explorer, "probabilities", "<f4").reshape(T, P, K)
    np.testing.assert_allclose(shares, snapshots["logits"].softmax(dim=2), atol=1e-6)
    assert array(explorer, "confusion", "<u4").reshape(T, K, K).tolist() == snapshots["confusion"].tolist()
    maps = array(explorer, "maps", "<u2").reshape(T, P, L, 1, 2) / 65535
    np.testing.assert_allclose(maps, snapshots["class_maps"].float(), atol=1e-5)
    pixels = array(explorer, "pictures", np.uint8).reshape(P, 4, 8, 3)
    assert pixels.tolist() == snapshots["pictures"].permute(0, 2, 3, 1).tolist()
    assert array(explorer, "curves", "<f4").reshape(4, T)[3].tolist() == pytest.approx([0.5, 0.7, 0.9])
    assert explorer.epoch_names == ["0", "1", "1.5"]
    assert explorer.grid == (1, 2)
    assert explorer.tokens == 3  # two patches and the class token
    assert explorer.asker == "the class token"


def test_right_is_what_the_accuracy_counts(explorer, snapshots):
    for t, logits in enumerate(snapshots["logits"]):
        assert explorer.right[t].double().mean() == accuracy(logits, snapshots["labels"])


def test_it_starts_at_the_end_of_the_run(explorer):
    assert (explorer.epoch, explorer.image, explorer.layer) == (T - 1, 0, L - 1)


@pytest.mark.parametrize(("name", "count"), [("epoch", T), ("image", P), ("layer", L)])
def test_a_choice_that_is_not_there_is_refused(explorer, name, count):
    for value in (-1, count):
        with pytest.raises(TraitError, match=f"There is no {name} {value}: choose a number from 0 to {count - 1}"):
            setattr(explorer, name, value)
    setattr(explorer, name, count - 2)
    assert getattr(explorer, name) == count - 2


def test_a_model_without_class_token_is_described_as_such(snapshots, record):
    record["config"]["pooling"] = "mean"
    explorer = TrainingExplorer(snapshots, record)
    assert explorer.asker == "the patches (mean)"
    assert explorer.tokens == 2


def test_the_picture_shows_the_chosen_epoch(explorer):
    explorer.epoch, explorer.image = 1, 2
    figure = explorer.picture()
    assert figure.get_label().startswith(explorer.words[1])
    assert "dog 1: cat 73.1%, dog 26.9%" in figure.get_label()
    axes = {ax.get_title(): ax for ax in figure.findobj(lambda artist: hasattr(artist, "get_title"))}
    assert axes["Accuracy"].lines[-1].get_xdata()[0] == pytest.approx(1.0004)  # the cursor
    np.testing.assert_allclose(
        axes["Confusion matrix (% of the true class)"].images[0].get_array(), [[60, 40], [20, 80]]
    )
    assert {"cat 1\n✗ dog\n73%", "cat 2\n✓ cat\n95%", "dog 2\n✓ dog\n73%"} <= set(axes)


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match="nothing_here"):
        TrainingExplorer.from_snapshots("nothing_here")
