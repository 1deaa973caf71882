"""What larger images cost: counted by formula and by PyTorch's counter, timed, and kept as records."""

import pytest
import torch

from course_utils.beyond.swin import WindowAttention
from course_utils.cli import main
from course_utils.experiments import sides
from course_utils.experiments.results import finding, load_results
from course_utils.model.attention import MultiHeadSelfAttention


@pytest.mark.parametrize("name", sides.MODELS)
@pytest.mark.parametrize("side", [32, 40, 64])
def test_the_attention_weights_are_those_that_the_model_makes(name, side, monkeypatch):
    model, seen = sides.MODELS[name](side), []
    for kind in (MultiHeadSelfAttention, WindowAttention):
        original = kind.forward

        def forward(self, x, need_weights=False, original=original):
            out, weights = original(self, x, need_weights=True)
            seen.append(weights.numel())
            return out, weights

        monkeypatch.setattr(kind, "forward", forward)
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, side, side))
    assert sum(seen) == sides.attention_weights(model)


def test_all_three_cost_about_the_same_at_32_pixels_and_part_company_later():
    small, large = sides.count(32), sides.count(256)
    assert set(small) == set(sides.MODELS)
    costs = [each["multiply_adds"] for each in small.values()]
    assert max(costs) < 1.4 * min(costs)
    growth = {name: large[name]["attention_weights"] / small[name]["attention_weights"] for name in small}
    assert growth["ViT"] == 8**4
    assert growth["windows"] == 8**2
    assert growth["Swin"] <= 8**2
    assert large["ViT"]["multiply_adds"] > 2 * large["windows"]["multiply_adds"]


def test_another_model_has_no_attention_weights_to_count():
    with pytest.raises(TypeError, match="Linear is neither"):
        sides.attention_weights(torch.nn.Linear(1, 1))


def test_the_records_are_read_like_those_of_an_experiment(tmp_path, capsys):
    arguments = ["sides", "--sides", "8", "16", "--rounds", "2", "--device", "cpu", "--out", str(tmp_path)]
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert "| milliseconds an image | 8 px | 16 px |" in said.out
    assert "round 2 of 2" in said.err
    found = load_results(sides.NAME, tmp_path)
    assert found.variants == [f"{name}, {side} pixels" for side in (8, 16) for name in sides.MODELS]
    for record in found.records:
        assert all(len(times) == 2 for times in record["rounds"].values())
        assert record["cost"] == sides.count(record["side"])[record["model"]]
    assert finding("image_sides; Swin, 16 pixels; milliseconds.training", tmp_path) > 0
