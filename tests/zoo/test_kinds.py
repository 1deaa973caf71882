"""Every kind of model goes into a file and comes back; what could not come back is refused before it is written."""

import pytest
import torch
from safetensors import safe_open
from torch import nn
from torch.optim.swa_utils import AveragedModel

from course_utils import VisionTransformer, ViTConfig
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.beyond.conv_stem import ConvStemConfig, ConvStemViT
from course_utils.beyond.dino import DinoConfig
from course_utils.beyond.distillation import DistilledConfig
from course_utils.beyond.flexivit import FlexiViTConfig
from course_utils.beyond.masked import MaskedConfig
from course_utils.beyond.swin import SwinConfig
from course_utils.cli import main
from course_utils.data import Normalisation, classes_of, normalisation_of, remember
from course_utils.model.convert import WeightsError
from course_utils.support.files import DamagedFileError, load_tensors, save_tensors
from course_utils.zoo.kinds import KINDS
from course_utils.zoo.weights import OLD_FORMAT, convert_old, load_vit, load_weights, read_record, save_weights

VIT = ViTConfig(image_size=8, patch_size=4, embed_dim=16, depth=1, num_heads=2, num_classes=3)
WITHOUT_CLASSES = VIT.replace(num_classes=0).to_dict()
CONFIGS = {
    "vit": VIT,
    "conv_stem_vit": ConvStemConfig(**VIT.to_dict()),
    "cnn": CNNConfig(in_channels=3, num_classes=3, width=4, stages=2),
    "distilled_vit": DistilledConfig(**VIT.replace(num_registers=1).to_dict()),
    "masked": MaskedConfig(**WITHOUT_CLASSES, decoder_dim=8, decoder_heads=2),
    "dino": DinoConfig(**WITHOUT_CLASSES, outputs=12, head_hidden=10, head_bottleneck=6),
    "flexi_vit": FlexiViTConfig(**VIT.to_dict(), base_patch_size=8, base_grid=2),
    "swin": SwinConfig(8, 2, num_classes=3, embed_dim=4, depths=(1, 2), num_heads=(1, 2), window_size=2),
}
NORMALISATION = Normalisation((0.1, 0.2, 0.3), (0.05, 0.1, 0.15))
CLASSES = ("Kätzchen", "frogs", "ships & boats")


def trained(kind):
    """A model of a kind, after a step: its batch norms have seen numbers."""
    model = KINDS[kind].make(CONFIGS[kind])
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(3):
        model(torch.randn(5, 3, 8, 8) * 3 + 1).square().mean().backward()
        optimizer.step()
    remember(model, NORMALISATION, CLASSES)
    return model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def old_file(path):
    """What the version before wrote, and the model in it."""
    model = trained("vit").eval()
    record = {
        "seed": 3,
        "normalisation": {"mean": [0.1, 0.2, 0.3], "std": [0.05, 0.1, 0.15]},
        "data": {"classes": list(CLASSES)},
    }
    save_tensors(path, model.state_dict(), {"format": OLD_FORMAT, "config": VIT.to_dict(), "record": record})
    return path, model, record


def test_these_are_all_kinds():
    assert CONFIGS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_kind_comes_back_bit_by_bit(kind, path):
    model = trained(kind)
    save_weights(model, path, half=False)
    loaded = load_weights(path)
    assert type(loaded) is type(model)
    assert loaded.config == model.config
    assert (normalisation_of(loaded), classes_of(loaded)) == (NORMALISATION, CLASSES)
    images = torch.randn(4, 3, 8, 8)
    assert torch.equal(loaded(images), model.eval()(images))
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
        assert loaded.state_dict()[name].dtype == tensor.dtype


@pytest.mark.parametrize("kind", CONFIGS)
def test_half_precision_rounds_what_are_floats_and_counts_stay_whole(kind, path):
    model = trained(kind)
    save_weights(model, path)
    with safe_open(path, framework="pt") as file:
        types = {name: file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118 (not a dict)
    assert {types[name] for name, tensor in model.state_dict().items() if tensor.is_floating_point()} == {torch.float16}
    counts = [name for name in types if name.endswith("num_batches_tracked")]
    assert len(counts) == sum(isinstance(part, nn.BatchNorm2d) for part in model.modules())
    loaded = load_weights(path).state_dict()
    for name in counts:
        assert types[name] == loaded[name].dtype == torch.int64
        assert loaded[name] == 3
    for name, tensor in model.state_dict().items():
        expected = tensor.half().float() if tensor.is_floating_point() else tensor
        assert torch.equal(loaded[name], expected), name


def test_a_model_that_knows_nothing_of_its_images_comes_back_as_such(path):
    save_weights(SmallCNN(CONFIGS["cnn"]), path)
    loaded = load_weights(path)
    assert loaded.normalisation is None
    with pytest.raises(ValueError, match="This SmallCNN does not know how its images are normalised: give it floats"):
        normalisation_of(loaded)
    with pytest.raises(ValueError, match="This SmallCNN does not know what its classes are called"):
        classes_of(loaded)


# ---------------------------------------------------------------------- refused before anything is written


class Wrapper(nn.Module):
    """As DistributedDataParallel holds a model."""

    def __init__(self, module):
        super().__init__()
        self.module = module


def with_number(number):
    model = trained("cnn")
    with torch.no_grad():
        model.head.weight[0, 0] = number
    return model


def with_head(head):
    model = trained("vit")
    model.head = head
    return model


class Mine(VisionTransformer):
    pass


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: torch.compile(trained("vit")), "So save the model inside, model._orig_mod."),
        (
            lambda: Wrapper(trained("vit")),
            "A Wrapper could not be .* save the model inside, model.module",
        ),
        (lambda: AveragedModel(trained("cnn")), "save the model inside, model.module"),
        (
            lambda: nn.Linear(2, 2),
            "A Linear .* kinds are vit, .*. So give it a line in zoo/kinds",
        ),
        (lambda: Mine(VIT), "A Mine could not be loaded again"),
        (lambda: with_head(nn.Linear(16, 7)), r"head.weight is \(7, 16\), but must be \(3, 16\)"),
        (lambda: with_head(nn.Identity()), "missing: head.weight"),
        (lambda: with_number(70_000), "head.weight holds numbers that float16 cannot hold .* save with half=False"),
        (lambda: with_number(float("inf")), "look for what made them so large"),
        (lambda: with_number(float("nan")), "NaN"),
    ],
)
def test_what_could_not_be_loaded_again_is_refused_and_nothing_is_written(make, words, path):
    path.write_text("what stood there before")
    with pytest.raises(WeightsError, match=f"(?s){words}"):
        save_weights(make(), path)
    assert path.read_text() == "what stood there before"
    assert list(path.parent.iterdir()) == [path]


def test_the_advice_helps(path):
    for model in (torch.compile(trained("vit"))._orig_mod, AveragedModel(trained("cnn")).module):
        save_weights(model, path)
        assert normalisation_of(load_weights(path)) == NORMALISATION
    save_weights(with_number(70_000), path, half=False)
    assert load_weights(path).head.weight[0, 0] == 70_000


# ---------------------------------------------------------------------- refused when loaded


def test_a_file_of_an_unknown_kind_is_refused_by_name(path):
    save_weights(trained("cnn"), path)
    tensors, metadata = load_tensors(path)
    save_tensors(path, tensors, metadata | {"kind": "capsule_net"})
    with pytest.raises(WeightsError, match="a model of the kind 'capsule_net', but this version knows vit, conv_stem"):
        load_weights(path)


def test_a_model_without_attention_is_not_taken_for_one_with(path):
    save_weights(trained("cnn"), path)
    with pytest.raises(WeightsError, match="holds a SmallCNN, which has no attention maps to look at"):
        load_vit(path)
    save_weights(trained("conv_stem_vit"), path)
    assert isinstance(load_vit(path), ConvStemViT)


def test_an_old_file_is_refused_with_the_command_that_converts_it(old_file, capsys):
    path, model, record = old_file
    for read in (load_weights, read_record):
        with pytest.raises(WeightsError, match="older version") as error:
            read(path)
    command = str(error.value).split("  ")[1]
    assert command == f'python -m course_utils convert "{path}"'
    assert main(["convert", str(path)]) == 0
    assert f"Converted {path}" in capsys.readouterr().out

    loaded = load_weights(path)
    assert (normalisation_of(loaded), classes_of(loaded)) == (NORMALISATION, CLASSES)
    images = torch.randn(4, 3, 8, 8)
    assert torch.equal(loaded(images), model(images))
    assert read_record(path) == record

    content = path.read_bytes()
    assert main(["convert", str(path)]) == 1
    assert "holds no weights of an older version: there is nothing to convert" in capsys.readouterr().err
    assert path.read_bytes() == content


def test_an_old_file_that_says_nothing_of_its_images_is_converted_too(path):
    save_tensors(path, trained("vit").state_dict(), {"format": OLD_FORMAT, "config": VIT.to_dict(), "record": {}})
    convert_old(path)
    loaded = load_weights(path)
    assert loaded.normalisation is None
    assert loaded.classes is None


def test_what_is_no_weights_file_is_not_converted(path):
    with pytest.raises(FileNotFoundError):
        convert_old(path)
    path.write_bytes(b"not tensors")
    with pytest.raises(DamagedFileError):
        convert_old(path)
    save_tensors(path, {}, {"record": {}})
    with pytest.raises(WeightsError, match="nothing to convert"):
        convert_old(path)
