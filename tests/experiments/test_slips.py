"""What a slip costs is recorded in the form that findings and the page of results read."""

import json

import pytest
import torch

from course_utils.analysis.clinic.slips import HEALTHY, SLIPS
from course_utils.data import load_cifar10
from course_utils.experiments import slips
from course_utils.experiments.results import finding, load_results

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    slips.main(["--seeds", "0", "--places", "0", "6", "--results", str(results), "--steps", "20"])
    return results


def test_records_are_read_like_those_of_other_experiments(folder):
    found = load_results("clinic", folder)
    assert found.variants == ["no slip", "optimiser of another model"]
    assert 0 < finding("clinic; no slip; test.accuracy", folder) < 1
    record = found.of("no slip")[0]
    assert record["epochs"][-1]["step"] == 20
    assert record["command"] == "python -m course_utils.experiments.slips --seeds 0 --places 0"
    assert record["found"] == []
    assert record["one_batch"]["loss"] < 1
    assert {"torch", "device", "commit"} <= record["environment"].keys()
    assert record["data"]["source"] == "sample"


def test_what_is_recorded_is_not_trained_again(folder, capsys):
    slips.main(["--seeds", "0", "--places", "0", "--results", str(folder), "--steps", "20"])
    assert capsys.readouterr().out == ""


def test_the_page_has_a_row_for_each_slip(folder):
    section = "\n".join(slips.slips_section(folder))
    assert "## clinic" in section
    assert "| no slip |" in section
    assert "optimiser of another model" in section
    assert "nothing moves (1)" in section


def test_without_records_there_is_no_section(tmp_path):
    assert slips.slips_section(tmp_path) == []


def test_a_run_can_be_repeated():
    train, test = (load_cifar10(split, sample="always").subset(range(200)) for split in ("train", "test"))
    one, two = (slips.record_of(SLIPS[7], 1, train, test, CPU, steps=4) for _ in range(2))
    for key in ("first_loss", "test", "one_batch", "found"):
        assert json.dumps(one[key]) == json.dumps(two[key])
    assert slips.VARIANTS[0] is HEALTHY
    assert len(slips.VARIANTS) == 27
