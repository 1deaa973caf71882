"""``examine`` runs a model from a file, and says what it found."""

import pytest

from course_utils.cli import main

FILE = """
import torch
from torch import nn

def make_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))

def bounded():
    return nn.Sequential(make_model(), nn.Softmax(dim=-1))

def nothing():
    return "no model"

def make_step(model):
    optimizer = torch.optim.AdamW(make_model().parameters(), lr=1e-3)  # of another model
    def step(model, images, labels):
        model.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return step

if __name__ == "__main__":
    raise SystemExit("a training begins")
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_a_healthy_model_has_no_finding(file, capsys):
    assert main(["examine", f"{file}:make_model", "--sample", "always", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "shipped sample of CIFAR-10" in said
    assert "Nothing was found. That does not prove that nothing is wrong." in said


def test_a_slip_is_named_with_its_number(file, capsys):
    assert main(["examine", f"{file}:bounded", "--sample", "always", "--device", "cpu"]) == 1
    assert "cannot fall below 1.461" in capsys.readouterr().out


def test_the_loop_is_looked_at_if_it_is_given(file, capsys):
    call = ["examine", f"{file}:make_model", "--step", "make_step", "--sample", "always", "--device", "cpu"]
    assert main(call) == 1
    assert "none of them is of this model" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "more", "said"),
    [
        ("{}", (), "FILE.py:make_model"),
        ("{}:missing", (), "defines no function missing"),
        ("{}:nothing", (), "returned str"),
        ("other.py:make_model", (), "There is no file other.py"),
        ("{}:make_model", ("--step", "missing"), "no function missing"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(file, place, more, said, capsys):
    assert main(["examine", place.format(file), *more, "--sample", "always"]) == 1
    assert said in capsys.readouterr().err


def test_the_help_says_that_it_runs_the_file(capsys):
    with pytest.raises(SystemExit):
        main(["examine", "--help"])
    assert "This runs FILE.py" in " ".join(capsys.readouterr().out.split())
