"""The benchmark measures every contestant on the same work, and its table says what was measured."""

import pytest
import torch

from course_utils.cli import main
from course_utils.experiments import bench
from course_utils.model.config import ViTConfig
from course_utils.model.counting import count_multiply_adds, count_parameters

CONFIG = ViTConfig(image_size=8, patch_size=4, embed_dim=16, depth=1, num_heads=2)


@pytest.mark.parametrize("contestant", bench.installed(), ids=lambda contestant: contestant.name)
def test_every_contestant_is_the_same_model(contestant):
    model = contestant.make(CONFIG)
    assert model(torch.randn(2, 3, 8, 8)).shape == (2, 10)
    ours = sum(count_parameters(CONFIG).values())
    theirs = sum(parameter.numel() for parameter in model.parameters())
    # vit-pytorch normalises the patches before and after their embedding and has no bias for q, k and v
    allowed = {"vit-pytorch": 2 * CONFIG.patch_dim + 2 * CONFIG.embed_dim - 3 * CONFIG.embed_dim}
    assert theirs - ours == allowed.get(contestant.name, 0)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_round_is_kept_and_progress_is_said(precision):
    said = []
    results = bench.benchmark(
        CONFIG, batch_size=4, precision=precision, device=torch.device("cpu"), rounds=2, report=said.append
    )
    names = {contestant.name for contestant in bench.installed()}
    assert set(results) == names | {"matrix product"}
    assert all(len(results[name][kind]) == 2 for name in names for kind in ("train", "inference"))
    assert all(speed > 0 for name in names for speed in results[name]["train"])
    assert len(results["matrix product"]["rate"]) == 2
    assert "round 2 of 2" in said


def test_the_table_takes_ratios_round_by_round():
    rate = 3 * 2 * sum(count_multiply_adds(CONFIG).values()) * 100.0  # so that 100 images a second is the whole rate
    results = {
        "ours": {"train": [100.0, 200.0, 50.0], "inference": [10.0, 10.0, 10.0]},
        "peer": {"train": [50.0, 50.0, 50.0], "inference": [20.0, 10.0, 5.0]},
        "matrix product": {"rate": [rate, 2 * rate, rate]},
    }
    ours, peer = (line.split(" | ") for line in bench.as_table(results, CONFIG).splitlines()[2:4])
    assert ours[1:3] == ["100", "1.00 (1.00 to 1.00)"]
    assert ours[-1] == "100% |"
    assert peer[1:5] == ["50", "2.00 (1.00 to 4.00)", "10", "1.00 (0.50 to 2.00)"]


def test_a_package_that_is_not_there_is_left_out_and_named(monkeypatch, capsys, tmp_path):
    contestants = (bench.CONTESTANTS[0], bench.Contestant("ghost", "no_such_package", bench.CONTESTANTS[0].make))
    monkeypatch.setattr(bench, "CONTESTANTS", contestants)
    monkeypatch.setattr(bench, "installed", lambda: list(contestants[:1]))
    out = str(tmp_path / "bench.json")
    arguments = ["bench", "--model", "cifar_micro", "--batch-size", "2", "--rounds", "1", "--precision", "fp32"]
    assert main([*arguments, "--out", out]) == 0
    said = capsys.readouterr().out
    assert "no_such_package" in said
    assert "| ours |" in said
    assert (tmp_path / "bench.json").is_file()


def test_installed_finds_only_what_can_be_imported():
    ghost = bench.Contestant("ghost", "no_such_package", bench.CONTESTANTS[0].make)
    assert bench.installed((bench.CONTESTANTS[0], ghost)) == [bench.CONTESTANTS[0]]
