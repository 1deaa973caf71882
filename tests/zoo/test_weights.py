import pickle
import struct

import pytest
import torch

from course_utils import VisionTransformer, ViTConfig
from course_utils.model.convert import WeightsError
from course_utils.support.files import DamagedFileError, save_tensors
from course_utils.zoo import weights
from course_utils.zoo.weights import FORMAT, load_pretrained, load_weights, pretrained_names, read_record, save_weights

TINY = ViTConfig(image_size=(8, 12), patch_size=4, embed_dim=16, depth=1, num_heads=2, position="relative")


@pytest.fixture
def model(randomise):
    return randomise(VisionTransformer(TINY)).train()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("position", ["none", "learned", "sincos2d", "rotary", "relative"])
def test_loading_gives_the_saved_model_back_bit_by_bit(position, path, randomise):
    model = randomise(VisionTransformer(TINY.replace(position=position, norm_eps=1e-3, pooling="attention")))
    save_weights(model, path, half=False)
    loaded = load_weights(path)
    assert loaded.config == model.config
    assert not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    images = torch.randn(2, 3, 8, 12)
    assert torch.equal(loaded(images), model(images))


def test_saving_leaves_the_model_alone(model, path):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_weights(model, path)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_half_precision_is_the_default_halves_the_file_and_loads_as_float32(model, tmp_path):
    full, half = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    save_weights(model, full, half=False)
    save_weights(model, half)
    header = 8 + struct.unpack("<Q", full.read_bytes()[:8])[0]
    assert half.stat().st_size - header == pytest.approx((full.stat().st_size - header) / 2, rel=0.01)
    for name, tensor in load_weights(half).state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, model.state_dict()[name].half().float())


def test_the_record_comes_back(model, path):
    record = {"seed": 3, "accuracy": 0.5, "notes": ["été", None]}
    save_weights(model, path, record)
    assert read_record(path) == record
    save_weights(model, path)
    assert read_record(path) == {}


def test_weights_that_do_not_fit_are_refused_with_every_fault(model, path):
    state = model.state_dict()
    del state["encoder.norm.bias"], state["embeddings.class_token"]
    state |= {"head.weight": torch.zeros(7, 16), "encoder.extra": torch.zeros(2)}
    save_tensors(path, state, {"format": FORMAT, "kind": "vit", "config": TINY.to_dict(), "record": {}})
    with pytest.raises(WeightsError) as error:
        load_weights(path)
    assert str(error.value).splitlines() == [
        f"The weights from {path} do not fit the model:",
        "  missing: embeddings.class_token",
        "  missing: encoder.norm.bias",
        "  unexpected: encoder.extra",
        "  wrong shape: head.weight is (7, 16), but must be (10, 16)",
    ]


def test_a_config_of_a_later_version_is_refused_by_name(model, path):
    config = TINY.to_dict() | {"window_size": 7}
    save_tensors(path, model.state_dict(), {"format": FORMAT, "kind": "vit", "config": config, "record": {}})
    with pytest.raises(ValueError, match="no setting named window_size"):
        load_weights(path)


class Trap:
    """Unpickling this raises the alarm."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was opened",)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: torch.save({"w": torch.zeros(2), "trap": Trap()}, path),
        lambda path: torch.save(Trap(), path, _use_new_zipfile_serialization=False),
        lambda path: path.write_bytes(pickle.dumps(Trap())),
    ],
    ids=["zip", "old", "pickle"],
)
@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_a_pickle_is_not_opened_and_the_message_says_what_to_do(write, name, tmp_path):
    write(tmp_path / name)
    with pytest.raises(WeightsError, match=r"is a pickle.*torch\.load\(path, weights_only=True\).*save_weights"):
        load_weights(tmp_path / name)


@pytest.mark.parametrize("metadata", [{}, {"epoch": 3}, [1, 2]])
def test_another_file_of_the_course_is_refused(metadata, model, path):
    save_tensors(path, model.state_dict(), metadata)
    with pytest.raises(WeightsError, match="holds no weights"):
        read_record(path)


def test_a_damaged_file_is_refused_by_name(model, path):
    save_weights(model, path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DamagedFileError, match=r"model\.safetensors is damaged"):
        load_weights(path)


def test_a_file_that_is_not_there(path):
    with pytest.raises(FileNotFoundError, match="no file"):
        load_weights(path)


def test_pretrained_weights(model, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "PRETRAINED_FOLDER", tmp_path / "none")
    assert pretrained_names() == []
    with pytest.raises(ValueError, match="no weights 'small': this version comes with none"):
        load_pretrained("small")

    monkeypatch.setattr(weights, "PRETRAINED_FOLDER", tmp_path)
    for name in ("small", "micro"):
        save_weights(model, tmp_path / f"{name}.safetensors")
    assert pretrained_names() == ["micro", "small"]
    assert load_pretrained("micro").config == TINY
    with pytest.raises(ValueError, match=r"no weights '\.\./micro': this version comes with micro, small"):
        load_pretrained("../micro")


@pytest.mark.parametrize("name", pretrained_names())
def test_every_shipped_file_loads(name):
    assert load_pretrained(name).config.num_classes > 0
    assert read_record(weights.PRETRAINED_FOLDER / f"{name}.safetensors")
