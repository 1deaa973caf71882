"""The position explorer: every table is what the package's own functions say, and arrives in the browser as it is."""

import json
import math
import re

import numpy as np
import pytest
import torch
from torch import nn
from traitlets import TraitError

from course_utils import ViTConfig, explore
from course_utils.analysis.attention_maps import position_similarity
from course_utils.analysis.snapshots import load_snapshots
from course_utils.explore.position import (
    KINDS,
    NOTHING_TO_SHOW,
    PositionExplorer,
    in_words,
    position_tables,
    relative_tables,
    table_bytes,
)
from course_utils.model.config import POSITIONS
from course_utils.model.embeddings import (
    POSITION_CODES,
    PositionCode,
    RelativePositionBias,
    Rotary2d,
    frequencies,
    sincos_2d,
)

CONFIG = ViTConfig((8, 12), 4, embed_dim=16, depth=2, num_heads=2)  # 2 rows, 3 columns: no square hides a swap
PATCHES, OFFSETS = 6, (3, 5)
MOMENTS = {"none": 0, "learned": 4, "sincos2d": 1, "rotary": 1, "relative": 4}


@pytest.fixture
def codes():
    return torch.randn(4, CONFIG.num_tokens, CONFIG.embed_dim, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def biases():
    return torch.randn(4, CONFIG.depth, CONFIG.num_heads, *OFFSETS, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def explorer(codes, biases):
    return PositionExplorer(CONFIG, codes, [0, 1, 2.5, 3.0004], biases)


def in_the_browser(explorer, kind, moment):
    """What JavaScript reads: (patches, patches)."""
    words = explorer.kinds[kind]
    tables = np.frombuffer(explorer.tables, "<i2").reshape(-1, PATCHES, PATCHES)
    return tables[words["first"] + moment] / explorer.steps * words["limit"]


# The tables


def test_every_kind_of_the_package_has_its_tables(codes):
    tables = position_tables(CONFIG, codes)
    assert list(tables) == list(POSITIONS)
    for kind, moments in MOMENTS.items():
        assert len(tables[kind]) == (1 if kind == "relative" else moments)  # no biases are given
    for moment in range(4):
        assert torch.equal(tables["learned"][moment], position_similarity(codes[moment], num_prefix_tokens=1))
    assert torch.equal(tables["sincos2d"][0], position_similarity(sincos_2d(CONFIG.grid, CONFIG.embed_dim)))
    assert not tables["relative"].any()


def test_rotary_is_the_mean_of_the_cosines_of_the_turns(codes):
    table = position_tables(CONFIG, codes)["rotary"][0]
    speeds = frequencies(CONFIG.head_dim // 4, base=100.0).tolist()
    for query, key in ((0, 0), (0, 1), (0, 5), (4, 2)):
        rows, columns = query // 3 - key // 3, query % 3 - key % 3
        cosines = [math.cos(speed * steps) for steps in (rows, columns) for speed in speeds]
        assert table[query, key].item() == pytest.approx(sum(cosines) / len(cosines), abs=1e-5)


def test_rotary_is_the_score_that_equal_content_gets(codes):
    """Also of content that is not all ones, if its pairs are equally long: here they point anywhere."""
    table = position_tables(CONFIG, codes)["rotary"][0]
    angles = torch.rand(CONFIG.head_dim // 2) * 2 * math.pi
    content = 3 * torch.cat([angles.cos(), angles.sin()])  # pairs of length 3
    turned = Rotary2d(CONFIG.grid, CONFIG.head_dim)(content.expand(1, 1, PATCHES, -1))[0, 0]
    assert torch.allclose(turned @ turned.T / (content @ content), table, atol=1e-5)


def test_relative_is_the_mean_of_what_the_heads_add(biases):
    table = relative_tables(biases, CONFIG.grid)
    assert table.shape == (4, PATCHES, PATCHES)
    one_head = RelativePositionBias(CONFIG.grid, num_heads=CONFIG.num_heads, num_prefix_tokens=1)
    added = []
    for layer in biases[2]:  # (h, 3, 5)
        one_head.table.data[3:] = layer.flatten(1).T  # three entries for the class token stand before them
        added.append(one_head()[:, 1:, 1:])
    assert torch.allclose(table[2], torch.stack(added).mean(dim=(0, 1)), atol=1e-6)
    assert not torch.allclose(table, table.mT)  # query and key may not be swapped


def test_parts_that_do_not_fit_are_refused(codes, biases):
    with pytest.raises(ValueError, match=r"must be \(T, 7, 16\), not \(4, 6, 16\)"):
        position_tables(CONFIG, codes[:, 1:])
    with pytest.raises(ValueError, match=r"must be \(T, L, h, 3, 5\)"):
        position_tables(CONFIG, codes, biases.mT)
    with pytest.raises(ValueError, match="biases of 3 moments, but codes of 4"):
        position_tables(CONFIG, codes, biases[:3])
    with pytest.raises(ValueError, match="2 epochs for position codes of 4 moments"):
        PositionExplorer(CONFIG, codes, [0, 1])


def test_a_code_that_the_model_cannot_have_is_not_on_offer(codes):
    narrow = CONFIG.replace(num_heads=8)  # a head of two numbers cannot turn by row and column
    explorer = PositionExplorer(narrow, codes, range(4))
    assert list(explorer.kinds) == [kind for kind in POSITIONS if kind != "rotary"]
    with pytest.raises(TraitError, match="no kind 'rotary': choose one of none, learned, sincos2d, relative"):
        explorer.kind = "rotary"


@pytest.mark.parametrize(
    ("code", "moments"),
    [
        (PositionCode(added=lambda config: torch.eye(config.num_tokens, config.embed_dim)[None]), 1),
        (PositionCode(turn=lambda config: nn.Softmax(dim=2)), 1),
        (PositionCode(added=lambda config: nn.Parameter(torch.ones(1, 7, 16))), 0),
        (PositionCode(bias=lambda config: nn.Identity()), 0),
    ],
)
def test_a_code_that_the_explorer_knows_no_words_for_has_a_plain_view(codes, monkeypatch, code, moments):
    monkeypatch.delitem(KINDS, "sincos2d")  # in place of a new name, which the config would have to know
    monkeypatch.setitem(POSITION_CODES, "sincos2d", code)
    explorer = PositionExplorer(CONFIG, codes, range(4), kind="sincos2d")
    assert explorer.kinds["sincos2d"]["label"] == "sincos2d"
    assert len(explorer.similarities["sincos2d"]) == len(explorer.kinds["sincos2d"]["moments"]) == moments
    assert (NOTHING_TO_SHOW in explorer.picture().get_label()) == (moments == 0)
    if moments and code.added(CONFIG) is not None:
        assert torch.equal(explorer.similarity(), torch.eye(PATCHES)[explorer.position].reshape(2, 3))


def test_numbers_travel_as_shares_of_their_limit():
    assert np.frombuffer(table_bytes(torch.tensor([-3.0, 0.0, 1.5, 3.0]), 3.0), "<i2").tolist() == [
        -32767, 0, 16384, 32767,
    ]  # fmt: skip
    assert np.frombuffer(table_bytes(torch.tensor([1 + 1e-6]), 1.0), "<i2").tolist() == [32767]  # not turned to -32768


@pytest.mark.parametrize(
    ("passes", "words"),
    [(0.0, "before training"), (1.0012, "after 1 pass"), (17.9996, "after 18 passes"), (2.5, "after 2.5 passes"),
     (10.0, "after 10 passes"), (11.0, "after 11 passes")],
)  # fmt: skip
def test_a_moment_has_a_name(passes, words):
    assert in_words(passes) == words


# The explorer


@pytest.mark.parametrize("kind", POSITIONS)
def test_the_browser_gets_the_tables(explorer, kind):
    tables = explorer.similarities[kind]
    assert len(explorer.kinds[kind]["moments"]) == len(tables)
    for moment, table in enumerate(tables):
        assert np.allclose(
            in_the_browser(explorer, kind, moment), table.numpy(), atol=explorer.kinds[kind]["limit"] / 3e4
        )


def test_scales_are_fixed_and_only_biases_have_their_own(explorer, biases, codes):
    limits = {kind: words["limit"] for kind, words in explorer.kinds.items()}
    largest = relative_tables(biases, CONFIG.grid).abs().max().item()
    assert limits == {kind: pytest.approx(largest) if kind == "relative" else 1 for kind in POSITIONS}
    assert PositionExplorer(CONFIG, codes, range(4)).kinds["relative"]["limit"] == 1  # all 0: any scale would do


def test_it_says_what_the_picked_position_gets(explorer, codes):
    assert explorer.epoch == 3
    explorer.position = 4
    assert torch.equal(explorer.similarity(), position_similarity(codes[3], 1)[4].reshape(2, 3))
    explorer.epoch = 0
    assert torch.equal(explorer.similarity(), position_similarity(codes[0], 1)[4].reshape(2, 3))
    explorer.kind = "sincos2d"
    assert torch.equal(explorer.similarity(), explorer.similarities["sincos2d"][0, 4].reshape(2, 3))
    explorer.kind = "none"
    with pytest.raises(ValueError, match="a vector of zeros has no direction"):
        explorer.similarity()


@pytest.mark.parametrize(
    ("trait", "value", "sentence"),
    [
        ("kind", "sincos", "There is no kind 'sincos': choose one of none, learned, sincos2d"),
        ("position", 6, "There is no position 6: choose a number from 0 to 5"),
        ("position", -1, "There is no position -1"),
        ("epoch", 4, "There is no epoch 4: choose a number from 0 to 3"),
    ],
)
def test_what_is_not_there_is_refused(explorer, trait, value, sentence):
    before = getattr(explorer, trait)
    with pytest.raises(TraitError, match=sentence):
        setattr(explorer, trait, value)
    assert getattr(explorer, trait) == before


def test_the_recorded_training_is_shown_from_the_untrained_model_to_the_last_pass():
    explorer = PositionExplorer.from_snapshots("cifar_micro", position=9)
    snapshots, _ = load_snapshots("cifar_micro")
    moments = explorer.kinds["learned"]["moments"]
    assert len(moments) == len(snapshots["epochs"]) == explorer.epoch + 1
    assert moments[:2] == ["before training", "after 1 pass"]
    assert torch.equal(explorer.similarity().flatten(), position_similarity(snapshots["positions"][-1], 1)[9])
    assert explorer.kinds["relative"]["moments"] == ["before training"]
    assert "No trained numbers were given" in explorer.kinds["relative"]["note"]


def test_a_training_without_learned_codes_is_refused(monkeypatch):
    record = {"config": CONFIG.replace(position="rotary").to_dict()}
    monkeypatch.setattr("course_utils.explore.position.load_snapshots", lambda source: ({}, record))
    with pytest.raises(ValueError, match="run has position 'rotary': it has no learned codes"):
        PositionExplorer.from_snapshots("run")


# The picture


def maps_of(figure):
    return {ax.get_title(): np.asarray(ax.images[0].get_array()) for ax in figure.axes if ax.images}


def test_the_picture_shows_what_is_chosen(explorer):
    explorer.position, explorer.epoch = 5, 2
    maps = maps_of(explorer.picture())
    assert list(maps) == [
        "row 1, column 2, before training", "row 1, column 2, after 2.5 passes", "all positions, after 2.5 passes",
    ]  # fmt: skip
    before, after, overview = maps.values()
    assert np.allclose(before, explorer.similarities["learned"][0, 5].reshape(2, 3))
    assert np.allclose(after, explorer.similarity())
    assert np.allclose(overview[-2:, -3:], explorer.similarity())  # the small map in the lower right corner
    assert all(ax.images[0].get_clim() == (-1, 1) for ax in explorer.picture().axes if ax.images)


def test_the_profiles_run_along_row_and_column(explorer):
    explorer.position = 5
    lines = {line.get_label(): line.get_ydata() for ax in explorer.picture().axes for line in ax.lines}
    assert np.allclose(lines["along row 1"], explorer.similarity()[1])
    assert np.allclose(lines["along column 2"], explorer.similarity()[:, 2])


@pytest.mark.parametrize("kind", POSITIONS)
def test_each_kind_has_a_picture_and_words(explorer, kind):
    explorer.kind = kind
    assert "No trained numbers" not in explorer.kinds[kind]["note"]
    figure = explorer.picture()
    assert explorer.kinds[kind]["note"] in figure.get_label()
    moments = len(explorer.similarities[kind])
    assert len(maps_of(figure)) == (min(moments, 2) + 1 if moments else 0)  # first, chosen, all positions


def test_the_page_holds_all_tables(explorer):
    state = json.loads(re.search(r"const stored = (.*);\n", explorer.to_html())[1])
    assert np.frombuffer(explorer.tables, "<i2").size == sum(map(len, explorer.similarities.values())) * PATCHES**2
    assert len(state["tables"]["base64"]) == 4 * math.ceil(len(explorer.tables) / 3)
    assert isinstance(explorer, explore.Explorer)
