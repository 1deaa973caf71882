"""Curves, bars, matrices and histograms: what they draw, say and refuse."""

import pytest
import torch

from course_utils import plots

CURVES = {"ours": ([16, 64, 256], [1.0, 4.0, 30.0]), "theirs": ([16, 64], [2.0, 5.0])}


def test_a_line_chart_draws_every_point_and_names_every_curve():
    figure = plots.line_chart(CURVES, title="Cost", x_label="tokens", y_label="ms", log_x=True, log_y=True,
                              reference=("limit", 10), description="It grows.")  # fmt: skip
    ax = figure.axes[0]
    assert [line.get_label() for line in ax.lines] == ["ours", "theirs", "limit"]
    assert ax.lines[0].get_ydata().tolist() == [1, 4, 30]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()  # not by colour alone
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["16", "64", "256"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ours", "theirs", "limit"]
    assert "It grows. ms by tokens. ours: 1 at 16, 30 at 256; theirs: 2 at 16, 5 at 64." in figure.get_label()


def test_a_long_curve_has_no_markers_and_many_curves_have_their_legend_outside():
    many = {str(number): (range(100), range(100)) for number in range(6)}
    figure = plots.line_chart(many, title="t", x_label="x", y_label="y")
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert {line.get_marker() for line in ax.lines} == {""}
    assert ax.get_legend().get_window_extent().x0 > ax.get_window_extent().x1


def test_one_curve_needs_no_legend():
    figure = plots.line_chart({"only": ([1, 2], [1, 2])}, title="t", x_label="x", y_label="y")
    assert figure.axes[0].get_legend() is None


def test_a_bar_chart_writes_its_numbers():
    figure = plots.bar_chart({"a": 1.0, "b": 3.25}, title="Bars", x_label="million", number_format="{:.1f} M")
    ax = figure.axes[0]
    assert [bar.get_width() for bar in ax.patches] == [1, 3.25]
    assert {text.get_text() for text in ax.texts} == {"1.0 M", "3.2 M"}
    assert "million: a 1.0 M, b 3.2 M." in figure.get_label()
    assert ax.yaxis_inverted()  # the first on top


def test_a_matrix_writes_its_values_and_leaves_masked_cells_empty():
    values = torch.tensor([[0.5, float("-inf")], [0.25, 0.75]])
    figure = plots.matrix(values, title="Weights", columns=["a", "b"], rows=["c", "d"], label="weight")
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts] == ["0.5", "0.25", "0.75"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b"]
    assert "2 rows and 2 columns, values from 0.25 to 0.75" in figure.get_label()
    assert len(figure.axes) == 2  # the colour bar


def test_a_large_matrix_has_no_numbers_in_it():
    assert not plots.matrix(torch.rand(40, 40), title="Large").axes[0].texts


def test_dark_cells_have_light_ink():
    ax = plots.matrix(torch.tensor([[0.0, 1.0]]), title="t").axes[0]
    assert [text.get_color() for text in ax.texts] == ["white", "#000000"]


def test_a_histogram_shows_shares():
    figure = plots.histogram({"a": torch.zeros(10), "b": torch.ones(30)}, title="t", x_label="x", bins=2)
    heights = [patch.get_data().values.tolist() for patch in figure.axes[0].patches]
    assert heights == [[1, 0], [0, 1]]
    assert "a: mean 0, standard deviation 0; b: mean 1" in figure.get_label()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.line_chart({}, title="", x_label="", y_label=""), "nothing to draw"),
        (lambda: plots.line_chart({"a": ([1], [1, 2])}, title="", x_label="", y_label=""), "as many x as y"),
        (lambda: plots.bar_chart({}, title="", x_label=""), "nothing to draw"),
        (lambda: plots.matrix(torch.zeros(3), title=""), "two axes"),
        (lambda: plots.matrix(torch.zeros(2, 2), title="", rows=["a"]), "do not fit 2 rows"),
        (lambda: plots.histogram({}, title="", x_label=""), "one or two"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
