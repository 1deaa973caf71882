"""What all settings classes share: the rule of a setting is its annotation."""

import json
import math
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as how_long
from hypothesis import strategies as st

import course_utils
from course_utils.support.settings import Count, Positive, Rate, Rule, Settings, Share, Size, look_up
from course_utils.training.recipes import Recipe
from course_utils.zoo.kinds import KINDS


@dataclass(frozen=True)
class Oven(Settings):
    degrees: int = 180
    name: str = "old"
    trays: Size = 2
    burnt: Count = 0
    volume: Positive = 60.0
    steam: Share = 0.0
    loss: Rate = 0.0
    fan: bool = False
    heat: Literal["top", "bottom"] = "top"
    size: Annotated[tuple[Size, Size], Rule("two whole numbers")] = (60, 60)
    timer: Positive | None = None


def test_a_copy_is_changed_and_the_original_is_not():
    oven = Oven()
    assert oven.replace(degrees=200) == Oven(200)
    assert oven == Oven.from_dict(oven.to_dict()) == Oven(180)


@pytest.mark.parametrize(
    ("name", "value", "error", "sentence"),
    [
        ("degrees", "hot", TypeError, "degrees must be a whole number, not 'hot'."),
        ("degrees", 180.0, TypeError, "degrees must be a whole number, not 180.0."),
        (
            "degrees",
            10**40,
            ValueError,
            "degrees must be a whole number, not 100000000000000000...0000000000000000000.",
        ),
        ("name", 3, TypeError, "name must be text, not 3."),
        ("trays", 0, ValueError, "trays must be a whole number of at least 1, not 0."),
        ("trays", True, TypeError, "trays must be a whole number of at least 1, not True."),
        ("burnt", -1, ValueError, "burnt must be a whole number of at least 0, not -1."),
        ("volume", 0, ValueError, "volume must be a number above 0, not 0."),
        ("volume", math.inf, ValueError, "volume must be a number above 0, not inf."),
        ("volume", np.float32("nan"), ValueError, "volume must be a number above 0, not np.float32(nan)."),
        (
            "volume",
            Fraction(10**400),
            ValueError,
            "volume must be a number above 0, not Fraction(1000...0000000000, 1).",
        ),
        ("volume", 1j, TypeError, "volume must be a number above 0, not 1j."),
        ("steam", 1.1, ValueError, "steam must be a number from 0 to 1, not 1.1."),
        ("steam", False, TypeError, "steam must be a number from 0 to 1, not False."),
        ("loss", 1.0, ValueError, "loss must be a number from 0 to below 1, not 1.0."),
        ("fan", 1, TypeError, "fan must be true or false, not 1."),
        ("heat", "left", ValueError, "heat must be 'top' or 'bottom', not 'left'."),
        ("heat", None, TypeError, "heat must be 'top' or 'bottom', not None."),
        ("size", 60, TypeError, "size must be two whole numbers, not 60."),
        ("size", [60], ValueError, "size must be two whole numbers, not [60]."),
        ("size", (60, "60"), TypeError, "size must be two whole numbers, not (60, '60')."),
        ("timer", "5", TypeError, "timer must be a number above 0, not '5'."),
        ("timer", -5, ValueError, "timer must be a number above 0, not -5."),
    ],
)
def test_one_sentence_says_which_setting_takes_what(name, value, error, sentence):
    with pytest.raises(error) as caught:
        Oven(**{name: value})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("volume", 60, 60),  # not 60.0: a recorded run would get another digest
        ("volume", np.float32(0.5), 0.5),
        ("volume", Fraction(1, 2), 0.5),
        ("trays", np.int64(3), 3),
        ("volume", np.int16(3), 3),
        ("size", [40, np.uint8(50)], (40, 50)),
        ("timer", None, None),
    ],
)
def test_a_value_is_kept_as_python_and_json_have_it(name, given, kept):
    found = getattr(Oven(**{name: given}), name)
    assert found == kept
    assert type(found) is type(kept)
    json.dumps(Oven(**{name: given}).to_dict())


NUMBERS = st.integers() | st.floats() | st.integers(-2, 70) | st.floats(-1, 2)
ODD = st.recursive(
    NUMBERS
    | st.booleans()
    | st.none()
    | st.text(max_size=8)
    | st.sampled_from(
        ["rotary", "mean", "rmsnorm", "gelu_tanh", "muon", "auto", b"", 1j, np.int64(4), np.float32(0.5)]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
EVERY = [
    pytest.param(base, field.name, id=f"{type(base).__name__}.{field.name}")
    for base in (*dict.fromkeys(kind.config() for kind in KINDS.values()), Recipe(steps=5))
    for field in fields(base)
]


@pytest.mark.parametrize(("base", "name"), EVERY)
@given(value=ODD)
@how_long(max_examples=60, deadline=None)
def test_any_value_is_kept_through_json_or_refused_by_name(base, name, value):
    try:
        settings, sentence = base.replace(**{name: value}), None
    except (TypeError, ValueError) as error:
        sentence = str(error)
    if sentence is None:
        assert type(base).from_dict(json.loads(json.dumps(settings.to_dict(), allow_nan=False))) == settings
    else:
        assert name in sentence
        assert "\n" not in sentence
        assert "supported" not in sentence  # Python's own words


def test_the_recorded_settings_can_be_read():
    """And come back the very same, or a run would seem to have other settings than its record."""
    folder = Path(course_utils.__file__).parent / "assets" / "results"
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob("*.json")]
    recorded = [record for record in found if "recipe" in record]  # of trainings; others are of measurements
    assert len(recorded) > 100
    for record in recorded:
        for cls, found in ((KINDS[record["kind"]].config, record["config"]), (Recipe, record["recipe"])):
            read = cls.from_dict(found).to_dict()  # settings that came later stand at their defaults
            assert json.dumps({name: read[name] for name in found}) == json.dumps(found)


def test_unknown_settings_are_refused_by_name():
    with pytest.raises(ValueError, match="Oven has no setting named door, light"):
        Oven().replace(light=True, door=1)
    with pytest.raises(ValueError, match="no setting named door"):
        Oven.from_dict({"door": 1})


def test_look_up_says_what_there_is():
    assert look_up("oven", "old", {"old": 1}) == 1
    with pytest.raises(ValueError, match="There is no oven 'odd': choose one of old, new"):
        look_up("oven", "odd", {"old": 1, "new": 2})
