"""The ONNX file computes what the model does, for any number of images, from plain pixels."""

import json

import pytest
import torch

from course_utils import VisionTransformer, ViTConfig
from course_utils.cli import main
from course_utils.data import Normalisation, remember
from course_utils.zoo import onnx_file
from course_utils.zoo.onnx_file import BATCHES, export_onnx
from course_utils.zoo.weights import load_weights, save_weights

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
NORMALISATION = Normalisation((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))


@pytest.fixture
def model(randomise):
    config = ViTConfig(image_size=(8, 12), patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=3)
    found = randomise(VisionTransformer(config))
    remember(found, NORMALISATION, ("Käfer", "b", "c"))
    return found


def test_it_computes_the_same_for_one_to_two_hundred_images(model, tmp_path):
    found = export_onnx(model, tmp_path / "m.onnx")
    assert found["batches"] == list(BATCHES)
    assert {1, 200} <= set(BATCHES)
    assert found["largest_difference"] < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert session.get_inputs()[0].shape[1:] == [3, 8, 12]
    pixels = torch.randint(256, (5, 3, 8, 12), dtype=torch.uint8)
    (logits,) = session.run(None, {"pixels": pixels.numpy()})
    expected = model.eval()(NORMALISATION(pixels))
    torch.testing.assert_close(torch.from_numpy(logits), expected, atol=1e-4, rtol=1e-4)
    metadata = {each.key: each.value for each in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert json.loads(metadata["classes"]) == ["Käfer", "b", "c"]


def test_the_mode_of_the_model_is_as_before(model, tmp_path):
    export_onnx(model.train(), tmp_path / "m.onnx")
    assert model.training
    assert model.encoder.training


def test_a_file_that_computes_something_else_is_refused_and_not_written(model, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "LARGEST_DIFFERENCE", 0.0)  # so that the rounding of a digit is too much
    with pytest.raises(ValueError, match="does not compute what the model does: for 1 images"):
        export_onnx(model, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_missing_packages_are_named(model, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "PACKAGES", ("onnx", "no_such_package"))
    with pytest.raises(ModuleNotFoundError, match="no_such_package, which the course does not"):
        export_onnx(model, tmp_path / "m.onnx")


def test_a_model_that_does_not_know_its_normalisation_is_refused(model, tmp_path):
    remember(model, None, ("a", "b", "c"))
    with pytest.raises(ValueError, match="does not know how its images are normalised"):
        export_onnx(model, tmp_path / "m.onnx")


def test_the_command_writes_beside_the_weights_and_says_what_it_compared(model, tmp_path, capsys):
    weights = tmp_path / "w.safetensors"
    save_weights(model, weights)
    assert main(["export", str(weights)]) == 0
    said = capsys.readouterr().out
    assert f"Written to {tmp_path / 'w.onnx'}" in said
    assert "1, 2, 7, 200 images" in said
    assert main(["export", str(weights), "--image-size", "16", "--out", str(tmp_path / "large.onnx")]) == 0
    assert onnxruntime.InferenceSession(tmp_path / "large.onnx").get_inputs()[0].shape[2:] == [16, 16]


def test_the_command_does_not_write_over_the_weights(model, tmp_path, capsys):
    weights = tmp_path / "w.safetensors"
    save_weights(model, weights)
    assert main(["export", str(weights), "--out", str(weights)]) == 1
    assert "are the weights themselves" in capsys.readouterr().err
    load_weights(weights)
