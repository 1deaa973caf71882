"""The attention explorer's numbers against attention_maps, and its state against its own rules."""

import base64
import json
import math
import re

import numpy as np
import pytest
import torch
from traitlets import TraitError

from course_utils import VisionTransformer, ViTConfig
from course_utils.analysis import attention_maps
from course_utils.data import CIFAR10_CLASSES, Normalisation, remember
from course_utils.explore import attention as module
from course_utils.explore.attention import LOOKED_AT, LOOKS_AT, AttentionExplorer
from course_utils.explore.attention_picture import attention_picture
from course_utils.plots.attention import MOST_TINT

CONFIG = ViTConfig((8, 12), 4, num_classes=5, embed_dim=12, depth=3, num_heads=2)  # grid 2x3, class token: 7 tokens
CLASSES = tuple("abcde")
NORMALISATION = Normalisation((0.2, 0.3, 0.4), (0.1, 0.2, 0.3))  # not CIFAR-10's
NAMES = ["first", "second"]


@pytest.fixture
def images():
    return torch.randint(0, 256, (2, 3, 8, 12), dtype=torch.uint8)


@pytest.fixture
def build(randomise, images):
    """Make an explorer of a random model; changes go to its config."""

    def make(traits=None, **changes):
        model = randomise(VisionTransformer(CONFIG.replace(**changes)))
        remember(model, NORMALISATION, CLASSES)
        return AttentionExplorer.from_model(model, images, NAMES, **(traits or {})), model

    return make


def by_hand(table, **state):
    """An explorer of one picture with one layer, two heads, a class token and two patches; both heads as given."""
    weights = torch.tensor(table)[None]  # (h, N, N) -> (L, h, N, N)
    return AttentionExplorer(
        torch.zeros(1, 3, 4, 8),
        ["grey"],
        lambda image: (weights, torch.tensor([0.25, 0.75])),
        shape=(1, len(table)),
        patch_size=4,
        classes=("cat", "dog"),
        **state,
    )


HEADS = [
    [[0.5, 0.25, 0.25], [0.0, 0.0, 1.0], [0.2, 0.8, 0.0]],
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.4, 0.0]],
]


# ---------------------------------------------------------------------- pure functions


def test_shares_keep_each_row_whole():
    weights = (3 * torch.randn(4, 257, 257)).softmax(dim=-1)
    shares = module.to_shares(weights)
    assert shares.dtype == np.dtype("<u2")
    assert np.abs(shares / 65535 - weights.numpy()).max() <= 0.51 / 65535
    assert np.abs(shares.sum(axis=-1, dtype=np.int64) / 65535 - 1).max() <= 0.5 * 257 / 65535
    assert module.to_shares(torch.eye(2)).tolist() == [[65535, 0], [0, 65535]]


@pytest.mark.parametrize(
    "spoilt", [lambda w: w.T * 1.0, lambda w: w * 1.1, lambda w: w * math.nan, lambda w: 2 * w - w.flip(1)]
)
def test_what_is_no_attention_is_refused(spoilt):
    weights = (3 * torch.randn(6, 6)).softmax(dim=-1)
    with pytest.raises(ValueError, match="each row sums to 1"):
        module.to_shares(spoilt(weights))


def test_how_far_heads_look():
    weights = torch.tensor(HEADS)[None]  # (L=1, h=2, N, N): 1x2 patches of 4 pixels
    far = module.looks_far(weights, torch.eye(3), (1, 2), 4, 1)
    # Head 0: both patches take from the other one alone. Head 1: patch 0 from itself, patch 1 from patch 0.
    # Their mean: patch 0 takes half from each; patch 1 from patch 0. The rollout given here: from themselves.
    np.testing.assert_allclose(far, [[4, 2, 3], [0, 0, 0]])
    nowhere = torch.tensor([[1.0, 0, 0]] * 3).expand(1, 1, 3, 3)
    assert np.isnan(module.looks_far(nowhere, torch.eye(3), (1, 2), 4, 1)[0]).all()


def test_the_model_is_asked_as_the_package_asks_it(build, images):
    _, model = build()
    model.train()
    weights, probabilities = module.attend(model, images[0])
    assert model.training
    model.eval()
    pixels = NORMALISATION(images[:1])
    torch.testing.assert_close(weights, attention_maps.collect(model, pixels)[0])
    torch.testing.assert_close(probabilities, model(pixels)[0].softmax(dim=0).detach())
    remember(model, Normalisation.none(3), CLASSES)
    other, _ = module.attend(model, images[0])
    torch.testing.assert_close(other, attention_maps.collect(model, images[:1] / 255)[0])


# ---------------------------------------------------------------------- the numbers of a state


def test_every_map_is_that_of_attention_maps(build, images):
    explorer, model = build()
    for image in range(2):
        explorer.image = image
        weights = attention_maps.collect(model, NORMALISATION(images[image : image + 1]))[0]  # (L, h, N, N)
        together = attention_maps.rollout(weights)
        for query in (0, 5):
            for direction, pick in ((LOOKS_AT, lambda w, q: w[..., q, :]), (LOOKED_AT, lambda w, q: w[..., :, q])):
                explorer.query, explorer.direction = query, direction
                for layer in range(3):
                    for head in range(2):
                        expected = pick(weights[layer, head], query)
                        np.testing.assert_allclose(explorer.values(layer, head), expected, atol=1 / 65535)
                    np.testing.assert_allclose(
                        explorer.values(layer, 2), pick(weights[layer].mean(dim=0), query), atol=1 / 65535
                    )
                np.testing.assert_allclose(explorer.values(3), pick(together, query), atol=1 / 65535)
    everything = torch.cat([weights.flatten(0, 1), together[None]])
    everything[:, 0, 0] = 0  # from the class token to itself is on no map
    assert explorer.largest == pytest.approx(everything.max().item(), abs=1 / 65535)


def test_a_small_case_by_hand():
    explorer = by_hand(HEADS, head=0, query=2)
    assert explorer.values().round(4).tolist() == [0.2, 0.8, 0.0]
    explorer.head = 2
    assert explorer.values().round(4).tolist() == [0.4, 0.6, 0.0]
    explorer.direction = LOOKED_AT
    assert explorer.values().round(4).tolist() == [0.125, 0.5, 0.0]
    assert explorer.answer == [["dog", 0.75], ["cat", 0.25]]


def test_it_says_in_words_what_is_to_be_seen():
    explorer = by_hand(HEADS, head=0, query=1)
    assert explorer.in_words() == (
        "Layer 0, head 0: the patch in row 0, column 0 looks most at row 0, column 1 (100.0%), "
        "row 0, column 0 (0.00%); class token 0.00%. Uniform would be 33.3%."
    )
    explorer.query, explorer.head, explorer.direction = 0, 2, LOOKED_AT
    assert explorer.in_words() == (
        "Layer 0, mean of the heads: the class token is looked at most by row 0, column 1 (40.0%), "
        "row 0, column 0 (0.00%); class token 75.0%. The mean over all tokens is 38.3%. Uniform would be 33.3%."
    )
    explorer.layer = 1
    assert explorer.in_words().startswith("Rollout through all layers: the class token")


@pytest.mark.parametrize(
    ("changes", "prefix", "query"),
    [
        ({}, ["class token"], 0),
        ({"num_registers": 2}, ["class token", "register 0", "register 1"], 0),
        ({"pooling": "mean"}, [], 4),  # no class token: the patch in the middle
        ({"pooling": "mean", "num_registers": 1}, ["register 0"], 5),
    ],
)
def test_tokens_before_the_patches(build, changes, prefix, query):
    explorer, _ = build(**changes)
    assert explorer.prefix == prefix
    assert explorer.query == query
    n = len(prefix) + 6
    assert len(explorer.weights) == 2 * (3 * 2 + 1) * n * n
    explorer.query = n - 1
    assert "the patch in row 1, column 2" in explorer.in_words()
    assert explorer.in_words().count("register") == changes.get("num_registers", 0)


def test_what_belongs_to_a_picture_changes_with_it(build):
    explorer, model = build()
    before = explorer.weights, explorer.distances, explorer.answer
    explorer.image = 1
    weights = attention_maps.collect(model, NORMALISATION(explorer.images[1:]))  # (1, L, h, N, N)
    distances = np.frombuffer(explorer.distances, "<f4").reshape(4, 3)
    expected = attention_maps.mean_attention_distance(weights, (2, 3), 4)
    np.testing.assert_allclose(distances[:3, :2], expected, rtol=1e-5)
    probabilities = model(NORMALISATION(explorer.images[1:]))[0].softmax(dim=0)
    assert explorer.answer[0] == [CLASSES[probabilities.argmax()], pytest.approx(probabilities.max().item())]
    explorer.image = 0
    assert (explorer.weights, explorer.distances, explorer.answer) == before


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("trait", "value", "sentence"),
    [
        ("layer", 4, "There is no layer 4: choose a number from 0 to 3; the last is the rollout"),
        ("head", -1, "There is no head -1: choose a number from 0 to 2; the last is the mean of the heads"),
        ("query", 7, "There is no query 7: choose a number from 0 to 6"),
        ("direction", "away", "There is no direction 'away': choose one of looks at, is looked at by"),
    ],
)
def test_impossible_states_are_refused(build, trait, value, sentence):
    explorer, _ = build()
    before = getattr(explorer, trait)
    with pytest.raises(TraitError, match=re.escape(sentence)):
        setattr(explorer, trait, value)
    assert getattr(explorer, trait) == before
    with pytest.raises(TraitError, match=re.escape(sentence)):
        build({trait: value})


def test_what_does_not_fit_is_refused(build, images):
    _, model = build()
    remember(model, NORMALISATION, CIFAR10_CLASSES)
    with pytest.raises(ValueError, match=r"probabilities \(10,\), not .*\(5,\)"):
        AttentionExplorer.from_model(model, images, NAMES)
    remember(model, NORMALISATION, CLASSES)
    with pytest.raises(ValueError, match=r"images of shape \(B, 3, 8, 12\)"):
        AttentionExplorer.from_model(model, images[..., :8], NAMES)


# ---------------------------------------------------------------------- picture and page


def test_the_picture_shows_the_state(build):
    explorer, _ = build({"layer": 1, "head": 0, "query": 6})
    figure = explorer.picture()
    assert figure.get_label() == f"{explorer.in_words()} The model says {explorer.answer[0][0]}."
    shown = next(ax for ax in figure.axes if ax.get_title() == "map, own scale").images[0]
    expected = np.kron(explorer.values()[1:].reshape(2, 3), np.ones((4, 4)))  # each patch is 4x4 pixels
    np.testing.assert_allclose(shown.get_array(), expected, atol=1e-6)
    assert [ax.get_title() for ax in figure.axes][1] == "Layer 1, head 0:\nthe patch in row 1, column 2\nlooks at"
    frames = [patch.get_bbox().bounds for patch in figure.axes[0].patches]
    assert frames == [(7.5, 3.5, 4, 4)] * 2
    explorer.shared_scale = True
    shown = next(ax for ax in explorer.picture().axes if ax.get_title() == "map, shared scale").images[0]
    assert shown.get_clim() == (0, explorer.largest)


def test_the_picture_has_all_heads_only_with_details(build):
    explorer, _ = build()
    titles = [ax.get_title() for ax in explorer.picture().axes]
    assert "Every layer and head" in titles
    explorer.details = False
    assert "Every layer and head" not in [ax.get_title() for ax in explorer.picture().axes]
    assert not explorer.picture().axes[0].patches  # the class token has no place to mark


def test_the_figure_takes_what_it_is_given():
    overview = torch.rand(2, 3, 2, 2)
    figure = attention_picture(torch.rand(3, 8, 8), torch.eye(2), "a caption", "words", overview=overview, top=2.0)
    assert figure.get_label() == "words"
    assert figure.axes[0].get_title() == "a caption"
    assert figure.axes[1].images[-1].get_array()[..., 3].max() == pytest.approx(MOST_TINT / 2)
    assert figure.axes[2].images[-1].get_clim() == (0, 2)


def test_a_page_has_the_weights_of_every_picture(build):
    explorer, _ = build()
    answers = json.loads(re.search(r"const answers = (.*);\n", explorer.to_html())[1])
    assert set(answers) == {"0", "1"}
    assert list(answers["1"])[-1] == "answered"
    explorer.image = 1
    assert base64.b64decode(answers["1"]["weights"]["base64"]) == explorer.weights


def test_the_widget_gets_its_bytes(build, monkeypatch):
    monkeypatch.delenv("COURSE_WIDGETS", raising=False)
    explorer, _ = build()
    state = explorer.get_state()
    assert bytes(state["weights"]) == explorer.weights
    assert {"layer", "head", "query", "direction", "shared_scale", "details", "answered"} <= set(state)
