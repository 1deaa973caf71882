"""What is recorded of the weights that ship, with patches of other sizes."""

import pytest

from course_utils.experiments import trained
from course_utils.support.files import write_json
from course_utils.zoo.weights import pretrained_names, read_record


@pytest.fixture
def _recorded(tmp_path, monkeypatch):
    path = tmp_path / "sizes.json"
    write_json(path, {"accuracy": {"mine": {"2": 0.25, "16": 0.5}}})
    monkeypatch.setattr(trained, "PATCH_SIZE_RECORD", path)


@pytest.mark.usefixtures("_recorded")
def test_sizes_come_as_numbers():
    assert trained.accuracy_by_patch_size("mine") == {2: 0.25, 16: 0.5}


@pytest.mark.usefixtures("_recorded")
def test_weights_that_were_not_measured_are_named():
    with pytest.raises(ValueError, match="There is no weights 'yours'"):
        trained.accuracy_by_patch_size("yours")


@pytest.mark.skipif(not trained.PATCH_SIZE_RECORD.exists(), reason="not measured yet")
@pytest.mark.parametrize("name", pretrained_names())
def test_at_its_own_size_the_accuracy_is_that_of_the_weights_record(name):
    record = read_record(name)
    if "patch_size" not in record["config"]:
        pytest.skip("cuts no patches")
    recorded = trained.accuracy_by_patch_size(name)[record["config"]["patch_size"]]
    assert recorded == pytest.approx(record["test"]["last_weights"]["accuracy"], abs=0.002)  # another machine may round


def test_moved_pictures_come_by_numbers(tmp_path, monkeypatch):
    row = {"accuracy": 0.5, "standard_error": 0.1, "same": 0.6}
    write_json(
        tmp_path / "moved.json", {"mine": {"shift": {"0": row, "12": row}, "scramble": {"4": row}, "command": "x"}}
    )
    monkeypatch.setattr(trained, "MOVED_RECORD", tmp_path / "moved.json")
    assert trained.moved_pictures("mine") == {"shift": {0: row, 12: row}, "scramble": {4: row}}
    with pytest.raises(ValueError, match="There is no weights 'yours'"):
        trained.moved_pictures("yours")


@pytest.mark.skipif(not trained.MOVED_RECORD.exists(), reason="not measured yet")
@pytest.mark.parametrize("name", ["cifar_cnn", "cifar_micro"])
def test_pictures_that_were_not_moved_have_the_accuracy_of_the_weights_record(name):
    found, recorded = trained.moved_pictures(name), read_record(name)["test"]["last_weights"]["accuracy"]
    for row in (found["shift"][0], found["scramble"][32]):
        assert row["accuracy"] == pytest.approx(recorded, abs=0.002)  # another machine may round
        assert row["same"] == 1
