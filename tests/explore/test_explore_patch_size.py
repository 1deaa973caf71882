"""The explorer of lessons 00 (start) and 11 (patch_size): what it says is what the resized model answers."""

import pytest
import torch

from course_utils import VisionTransformer, ViTConfig
from course_utils.beyond.flexivit import FlexiViT, FlexiViTConfig
from course_utils.data import CIFAR10_NORMALISATION
from course_utils.data.normalisation import remember
from course_utils.explore import PatchSizeExplorer


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = VisionTransformer(ViTConfig(image_size=(16, 24), patch_size=4, embed_dim=16, depth=1, num_heads=2))
    model.head.weight.data.normal_()
    remember(model, CIFAR10_NORMALISATION, tuple("abcdefghij"))
    return model


@pytest.fixture
def images():
    return torch.randint(0, 256, (2, 3, 16, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_it_says_what_the_model_answers_at_each_size(model, images):
    explorer = PatchSizeExplorer(model, images, ["first", "second"])
    assert explorer.sizes == [2, 4, 8]
    assert (explorer.own_size, explorer.patch_size) == (4, 4)
    for image in (1, 0):
        explorer.image = image
        assert explorer.answered == image
        for size, said in zip(explorer.sizes, explorer.probabilities, strict=True):
            with torch.no_grad():
                logits = model.with_patch_size(size).eval()(CIFAR10_NORMALISATION(images[image][None]))
            assert torch.allclose(torch.tensor(said), logits.softmax(dim=1)[0], atol=1e-6)
            assert explorer.best(size)[0] == "abcdefghij"[logits.argmax()]
    explorer.patch_size = 8
    name, share = explorer.best(8)
    assert explorer.in_words() == (
        f"6 patches of 8 × 8 pixels, {explorer.milliseconds[2]:.1f} ms: the model says {name}, {100 * share:.0f}%. "
        "It was trained with 4 × 4."
    )


def test_the_maps_are_the_class_tokens_weights_of_the_last_layer(model, images):
    explorer = PatchSizeExplorer(model, images, ["first", "second"])
    for size, shown in zip(explorer.sizes, explorer.maps, strict=True):
        resized = model.with_patch_size(size).eval()
        with torch.no_grad():
            _, weights = resized.forward_with_attention(CIFAR10_NORMALISATION(images[:1]))
        wanted = weights[0][0].mean(dim=0)[0, 1:]  # {0: (1, h, N, N)} -> (N, N) -> (patches,)
        assert torch.allclose(torch.tensor(shown), wanted, rtol=1e-3)
        assert len(shown) == 16 * 24 // size**2


def test_a_flexible_model_is_trained_with_every_size(images):
    torch.manual_seed(0)
    config = FlexiViTConfig(image_size=(16, 24), patch_size=4, embed_dim=16, depth=1, num_heads=2, base_grid=(2, 3))
    model = FlexiViT(config).eval()
    remember(model, CIFAR10_NORMALISATION, tuple("abcdefghij"))
    explorer = PatchSizeExplorer(model, images, ["first", "second"])
    assert explorer.sizes == [2, 4, 8]
    assert explorer.in_words().endswith("It was trained with all of these sizes.")
    for size, said in zip(explorer.sizes, explorer.probabilities, strict=True):
        with torch.no_grad():
            wanted = model(CIFAR10_NORMALISATION(images[:1]), size).softmax(dim=1)[0]
        assert torch.allclose(torch.tensor(said), wanted, atol=1e-5)
    assert len(explorer.milliseconds) == 3
    assert min(explorer.milliseconds) > 0


def test_the_picture_holds_every_size_and_answer(model, images):
    explorer = PatchSizeExplorer(model, images, ["first", "second"], sizes=[8, 4])
    words = explorer.picture().get_label()
    for size in (4, 8):
        name, share = explorer.best(size)
        assert f"{size}x{size} pixels {name} {share:.0%}" in words


def test_of_many_classes_the_likeliest_are_shown(images):
    torch.manual_seed(0)
    config = ViTConfig(image_size=(16, 24), patch_size=4, embed_dim=16, depth=1, num_heads=2, num_classes=30)
    many = VisionTransformer(config)
    remember(many, CIFAR10_NORMALISATION, tuple(map(str, range(30))))
    explorer = PatchSizeExplorer(many, images, ["first", "second"])
    assert len(explorer.classes) == len(explorer.probabilities[0]) == 10


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [({"sizes": [2, 8]}, "must hold the model's own patch size, 4"), ({"sizes": [4, 5]}, "does not divide")],
)
def test_sizes_that_do_not_fit_are_refused(model, images, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        PatchSizeExplorer(model, images, ["first", "second"], **settings)


def test_images_of_another_size_are_refused(model, images):
    with pytest.raises(ValueError, match="takes images of 16x24 pixels, not 24x16"):
        PatchSizeExplorer(model, images.transpose(2, 3), ["first", "second"])
