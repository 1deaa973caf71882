"""Set files: what they mean, and what is said when something in them is wrong."""

import json
import re
from pathlib import Path

import pytest
from tiny_set import run_set

from course_utils.experiments.sets import load_set, load_sets, slug

SHIPPED = Path(__file__).parents[2] / "experiments"


def test_a_run_puts_together_what_is_shared_and_what_its_variant_changes(write_set):
    experiment = load_set(write_set())
    assert experiment.variants == ["plain", "wide | warm"]
    assert [run.name for run in experiment.runs] == [
        "plain-seed0", "plain-seed1", "wide-warm-seed0", "wide-warm-seed1",
    ]  # fmt: skip
    plain, wide = experiment.runs[0], experiment.runs[2]
    assert (plain.config.embed_dim, plain.recipe.warmup) == (16, 0.05)
    assert (wide.config.embed_dim, wide.recipe.warmup, wide.config.depth) == (32, 0.5, 2)
    assert (plain.place, wide.place, wide.images, wide.source) == (0, 1, 50, "sample")


def test_a_variant_goes_on_from_another(write_set):
    more = '"wider" = { from = "wide | warm", model.embed_dim = 64, recipe.steps = 5, data.images = 20 }'
    runs = load_set(write_set(('recipe.warmup = 0.5 }', f"recipe.warmup = 0.5 }}\n{more}"))).runs  # fmt: skip
    last = runs[-1]
    assert (last.config.embed_dim, last.recipe.warmup, last.images) == (64, 0.5, 20)
    assert (last.recipe.steps, last.recipe.epochs) == (5, None)  # a new budget takes the place of the old one


def test_a_variant_can_have_seeds_of_its_own_and_they_are_not_handed_on(write_set):
    more = '"once" = { seeds = [5] }\n"again" = { from = "once" }'
    runs = load_set(write_set(('recipe.warmup = 0.5 }', f"recipe.warmup = 0.5 }}\n{more}"))).runs  # fmt: skip
    assert [(run.variant, run.seed) for run in runs[4:]] == [("once", 5), ("again", 0), ("again", 1)]


def test_the_digest_changes_with_every_setting_and_with_nothing_else(write_set):
    run = load_set(write_set()).runs[0]
    for old, new in (("depth = 2", "depth = 3"), ("epochs = 2", "epochs = 3"), ("images = 50", "images = 60"),
                     ('["attention_entropy"]', "[]"), ("seeds = [0, 1]", "seeds = [7]")):  # fmt: skip
        assert load_set(write_set((old, new))).runs[0].digest != run.digest, new
    renamed = write_set(('"plain"', '"bare"'), ('title = "Tiny"', 'title = "Other"'), name="other")
    assert load_set(renamed).runs[0].digest == run.digest


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seeds = [0, 1]", "seeds = [0, 1", "tiny.toml"),
        ('question = "Does it work?"', "", "question is missing"),
        ("order = 1", "ordre = 1", "ordre means nothing"),
        ("depth = 2", "dept = 2", "variant 'plain': ViTConfig has no setting named dept"),
        ("epochs = 2", "minutes = 2", "cannot be repeated"),
        ("recipe.warmup = 0.5", "recipe.warmup = 5", "variant 'wide | warm': warmup must be a number from 0 to 1"),
        ("recipe.warmup = 0.5", "recipes.warmup = 5", "recipes means nothing"),
        ("recipe.warmup = 0.5", 'from = "plane"', "no variant further up 'plane'"),
        ('source = "sample"', 'source = "internet"', "'internet' is unknown"),
        ('source = "sample"', 'sources = "sample"', "sources means nothing"),
        ('track = ["attention_entropy"]', 'track = ["charm"]', "no measurement 'charm'"),
        ("[model]", '[model]\nkind = "gan"', "no model kind 'gan'"),
        ('"wide | warm"', '"Plain!"', "two variants have the same name"),
        ('"wide | warm"', '"a minus b"', "a finding could not name it"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_variant(write_set, old, new, words):
    with pytest.raises(ValueError, match=r"tiny\.toml") as refused:
        load_set(write_set((old, new)))
    assert words in str(refused.value)


def test_a_folder_without_sets_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="--sets"):
        load_sets(tmp_path)


def test_sets_come_in_their_order(write_set):
    write_set(("order = 1", "order = 3"), name="a")
    write_set(name="b")
    assert [each.name for each in load_sets(write_set(("order = 1", "order = 2"), name="c").parent)] == ["b", "c", "a"]


def test_a_slug_can_stand_in_a_file_name():
    assert slug("+ Sines & cosines, 2-D") == "sines-cosines-2-d"


FEWER_SEEDS = {
    "race": 1,  # its long runs are too long for three
    "cnn_rates": 1,  # tunes a rate
    "finetuning": 1,  # tunes rates; the best of each has three
    "cct": 1,  # aims at a mark in eight minutes; lesson 10 (cnn) says so
    "positions_48": 2,  # there was no time for more: lesson 11 (patch_size) says so
}


def test_the_sets_of_the_course_can_be_run():
    sets = load_sets(SHIPPED)
    for each in sets:
        assert each.minutes > 0
        seeds = {name: len([run for run in each.runs if run.variant == name]) for name in each.variants}
        assert min(seeds.values()) >= FEWER_SEEDS.get(each.name, 3)
        assert {run.source for run in each.runs} == {"official"}
    assert len({each.order for each in sets}) == len(sets)


def test_the_planned_sets_can_be_read():
    """They are no part of the page of results yet; what starts from a run, or is taught by one, finds it."""
    sets = {each.name: each for each in load_sets(SHIPPED / "planned")}
    assert {run.start.variant for run in sets["dino_few_labels"].runs} == {"centring and sharpening"}
    assert {run.start for run in sets["masked_few_labels"].runs} == {None, "mae_encoder"}
    assert {run.teacher for run in sets["distillation"].runs} == {None, "cifar_cnn"}
    assert not {name for name in sets if (SHIPPED / f"{name}.toml").exists()}


START = """
title = "S"
question = "?"
seeds = [0, 1]
[model]
patch_size = 16
embed_dim = 16
depth = 1
num_heads = 2
num_classes = 4
[recipe]
steps = 2
batch_size = 5
[data]
source = "sample"
images = 20
classes = ["cat", "dog", "frog", "ship"]
[variants]
"body" = {}
"""
GOES_ON = START.replace('"body" = {}', '"on" = { data.start = "first; body" }').replace(
    'classes = ["cat", "dog", "frog", "ship"]', 'classes = ["horse", "bird"]'
).replace("num_classes = 4", "num_classes = 2")  # fmt: skip


@pytest.fixture
def two_sets(tmp_path):
    (tmp_path / "first.toml").write_text(START)
    (tmp_path / "second.toml").write_text(GOES_ON)
    return tmp_path


def test_a_run_starts_from_the_run_of_another_set_with_its_seed(two_sets):
    first, second = load_set(two_sets / "first.toml"), load_set(two_sets / "second.toml")
    assert [run.start for run in second.runs] == list(first.runs)
    assert second.runs[0].classes == ("horse", "bird")
    assert second.runs[0].settings()["begins_with"] == first.runs[0].folder


def test_settings_that_came_later_leave_the_old_digests_as_they_were():
    """The digests of four runs when the settings for fine-tuning did not exist yet."""
    known = {"positions": "11a39e2f", "recipe": "00f9b235", "minutes": "495b61ae", "data_size": "57be7bbe"}
    for name, digest in known.items():
        assert load_set(SHIPPED / f"{name}.toml").runs[0].digest == digest


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("second; on", "lies in the same set"),
        ("first; soul", "no variant 'soul'"),
        ("cifar_huge", "no shipped weights 'cifar_huge'"),
        ("third; body", "third.toml"),
    ],
)
def test_a_start_that_is_not_there_is_refused(start, words, two_sets):
    (two_sets / "second.toml").write_text(GOES_ON.replace("first; body", start))
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(words)):
        load_set(two_sets / "second.toml")


def test_a_run_takes_over_the_body_and_says_so(two_sets, capsys):
    assert run_set(two_sets, "second") == 1
    assert "run  python -m course_utils experiments run first  first" in capsys.readouterr().err
    assert run_set(two_sets, "first") == 0
    assert run_set(two_sets, "second", "--part", "2/2") == 0
    assert [path.name for path in (two_sets / "results" / "second").iterdir()] == ["on-seed1.json"]
    record = json.loads((two_sets / "results" / "second" / "on-seed1.json").read_text())
    assert (record["start"]["variant"], record["start"]["seed"]) == ("body", 1)
    assert record["data"]["classes"] == ["horse", "bird"]
    assert record["test"]["n"] == 200
    capsys.readouterr()
    assert run_set(two_sets, "second") == 0
    assert "1 of 2 runs are recorded" in capsys.readouterr().out
    (two_sets / "second.toml").write_text(GOES_ON.replace('["horse", "bird"]', '["horse", "deer"]'))
    assert run_set(two_sets, "second", "--part", "1/3") == 0
    assert "(stale)" in capsys.readouterr().out


def test_a_part_is_written_as_a_fraction(two_sets, capsys):
    for part in ("3/2", "0/2", "2", "a/b"):
        assert run_set(two_sets, "first", "--part", part) == 1
        assert "given as K/N" in capsys.readouterr().err
