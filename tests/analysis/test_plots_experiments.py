"""Figures of experiments show every seed, the mean and the spread, and can be read without colour."""

import numpy as np
import pytest

from course_utils import plots


def test_every_seed_is_a_dot_and_mean_and_spread_are_drawn_and_written():
    values = {"none": [60.0, 61.0, 65.0], "rotary": [66.0]}
    figure = plots.seed_dots(values, title="Positions", x_label="test accuracy in %", description="Any code is better.")
    figure.draw_without_rendering()
    ax = figure.axes[0]
    rings = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_xdata().tolist() for line in rings] == [[60, 61, 65], [66]]
    assert [line.get_xdata().tolist() for line in ax.lines if line.get_marker() == "|"] == [[62], [66]]
    [bar] = ax.collections  # one seed alone has no spread
    assert bar.get_segments()[0].tolist() == [pytest.approx([62 - 7**0.5, 0]), pytest.approx([62 + 7**0.5, 0])]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["none", "rotary"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top
    assert ax.get_xlabel().startswith("test accuracy in %\n")
    words = "test accuracy in %, runs for each variant: 3, 1. none 62.0 ± 2.6; rotary 66.0."
    assert figure.get_label() == f"Positions. Any code is better. {words}"


def test_lines_go_through_the_means_with_every_seed_beside_them():
    series = {
        "ViT": ([500, 45_000], np.array([[20.0, 60.0], [30.0, 62.0]])),
        "CNN": ([500, 45_000], [[35.0, 65.0]]),
    }
    figure = plots.seed_lines(series, title="Data", x_label="images", y_label="accuracy in %", log_ticks=[500, 45_000])
    ax = figure.axes[0]
    vit, vit_seeds, _, cnn, cnn_seeds, _ = ax.lines
    assert vit.get_ydata().tolist() == [25, 61]
    assert sorted(vit_seeds.get_ydata().tolist()) == [20, 30, 60, 62]
    assert vit_seeds.get_linestyle() == "None"
    assert vit.get_linestyle() != cnn.get_linestyle()  # not by colour alone
    assert vit_seeds.get_marker() != cnn_seeds.get_marker()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["500", "45,000"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ViT", "CNN"]
    assert "ViT (2 runs): mean 25 at 500, 61 at 4.5e+04; CNN (1 runs)" in figure.get_label()


@pytest.mark.parametrize("values", [{}, {"a": []}])
def test_dots_without_numbers_are_refused(values):
    with pytest.raises(ValueError, match="at least one number"):
        plots.seed_dots(values, title="t", x_label="x")


def test_lines_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        plots.seed_lines({}, title="t", x_label="x", y_label="y")
    with pytest.raises(ValueError, match=r"'a' needs values of shape \(seeds, 2\), not \(2,\)"):
        plots.seed_lines({"a": ([1, 2], [1, 2])}, title="t", x_label="x", y_label="y")
