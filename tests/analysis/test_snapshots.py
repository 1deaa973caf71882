"""Snapshots of a training run: one before, one after every pass, also across a stop."""

import pytest
import torch

from course_utils import VisionTransformer, ViTConfig
from course_utils.analysis.evaluation import evaluate, predict
from course_utils.analysis.snapshots import Snapshots, load_snapshots
from course_utils.data import load_cifar10
from course_utils.support.files import DamagedFileError
from course_utils.training.recipes import Recipe
from course_utils.training.tasks import Classification
from course_utils.training.trainer import Trainer

CONFIG = ViTConfig(patch_size=16, embed_dim=16, depth=2, num_heads=2)


@pytest.fixture(scope="module")
def image_set():
    return load_cifar10("validation", sample="always")


def run(image_set, folder, epochs_seen=None, **config):
    """Train for three passes with snapshots, or stop after ``epochs_seen``."""
    torch.manual_seed(0)
    model = VisionTransformer(CONFIG.replace(**config))
    task, recipe = Classification(image_set, image_set), Recipe(epochs=3, batch_size=100)
    trainer = Trainer(model, task, recipe, run_dir=folder, device="cpu", show_progress=False)
    snapshots = Snapshots(model, image_set, folder / "snapshots.safetensors")

    def on_report(record):
        snapshots(record)
        if len(record["epochs"]) == epochs_seen:
            raise KeyboardInterrupt

    try:
        trainer.fit(resume=True, on_report=on_report)
    except KeyboardInterrupt:
        return None
    return model


def test_there_is_one_snapshot_before_and_one_after_every_pass(image_set, tmp_path):
    model = run(image_set, tmp_path)
    tensors, record = load_snapshots(tmp_path / "snapshots.safetensors")
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    assert shapes == {
        "epochs": (4,),
        "pictures": (20, 3, 32, 32),
        "labels": (20,),
        "logits": (4, 20, 10),
        "class_maps": (4, 20, 2, 2, 2),
        "attention_distance": (4, 2, 2),
        "attention_entropy": (4, 2, 2),
        "positions": (4, 5, 16),
        "confusion": (4, 10, 10),
    }
    assert tensors["epochs"].tolist() == [0, 1, 2, 3]
    assert tensors["labels"].bincount().tolist() == [2] * 10
    assert [entry["epoch"] for entry in record["epochs"]] == [1, 2, 3]
    # the last snapshot is of the model as it is now, the first is not
    logits = predict(model, image_set.images)
    assert tensors["confusion"][-1].tolist() == evaluate(logits, image_set.labels, image_set.classes)["confusion"]
    torch.testing.assert_close(tensors["logits"][-1], predict(model, tensors["pictures"]))
    assert not torch.equal(tensors["positions"][0], tensors["positions"][-1])


def test_a_stopped_run_goes_on_with_its_snapshots(image_set, tmp_path):
    run(image_set, tmp_path / "whole")
    run(image_set, tmp_path / "stopped", epochs_seen=2)  # stopped before the checkpoint of the second pass
    run(image_set, tmp_path / "stopped")
    whole, _ = load_snapshots(tmp_path / "whole" / "snapshots.safetensors")
    stopped, _ = load_snapshots(tmp_path / "stopped" / "snapshots.safetensors")
    assert whole.keys() == stopped.keys()
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_a_model_without_learned_positions_has_none_in_its_snapshots(image_set, tmp_path):
    run(image_set, tmp_path, position="sincos2d", pooling="mean")
    tensors, _ = load_snapshots(tmp_path / "snapshots.safetensors")
    assert "positions" not in tensors


def test_a_damaged_file_is_named(image_set, tmp_path):
    path = tmp_path / "snapshots.safetensors"
    path.write_bytes(b"not tensors")
    with pytest.raises(DamagedFileError, match=r"snapshots\.safetensors"):
        Snapshots(VisionTransformer(CONFIG), image_set, path)


def test_relative_biases_are_kept_by_offset(image_set, tmp_path):
    model = run(image_set, tmp_path, position="relative")
    tensors, _ = load_snapshots(tmp_path / "snapshots.safetensors")
    kept = tensors["relative_bias"]
    assert kept.shape == (4, 2, 2, 3, 3)
    assert kept[0].abs().max() <= 0.041  # the start: two standard deviations of 0.02
    bias = model.encoder.blocks[1].attention.relative_bias()[:, 1:, 1:]  # (h, patches, patches), without class token
    for query, key in ((0, 0), (0, 3), (2, 1)):  # of a grid of 2 x 2: the offset is the query's place less the key's
        row, column = query // 2 - key // 2, query % 2 - key % 2
        assert kept[-1, 1, :, 1 + row, 1 + column] == pytest.approx(bias[:, query, key].detach(), abs=1e-3)
    assert "positions" not in tensors
