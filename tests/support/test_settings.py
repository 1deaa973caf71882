"""What all settings classes share."""

from dataclasses import dataclass

import pytest

from course_utils.support.settings import Settings, look_up


@dataclass(frozen=True)
class Oven(Settings):
    degrees: int = 180


def test_a_copy_is_changed_and_the_original_is_not():
    oven = Oven()
    assert oven.replace(degrees=200) == Oven(200)
    assert oven == Oven.from_dict(oven.to_dict()) == Oven(180)


def test_unknown_settings_are_refused_by_name():
    with pytest.raises(ValueError, match="Oven has no setting named fan, light"):
        Oven().replace(light=True, fan=1)
    with pytest.raises(ValueError, match="no setting named fan"):
        Oven.from_dict({"fan": 1})


def test_look_up_says_what_there_is():
    assert look_up("oven", "old", {"old": 1}) == 1
    with pytest.raises(ValueError, match="There is no oven 'odd': choose one of old, new"):
        look_up("oven", "odd", {"old": 1, "new": 2})
