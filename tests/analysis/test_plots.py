"""What is drawn is what was given: the tests read the data back from the artists."""

import io
import math
import subprocess
import sys

import matplotlib as mpl
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from nbclient import NotebookClient
from PIL import Image

from course_utils import plots
from course_utils.analysis.attention_maps import DeletionCurve
from course_utils.analysis.evaluation import calibration
from course_utils.model.patches import patchify
from course_utils.plots.attention import MOST_TINT
from course_utils.plots.style import TINT, mosaic

NAMES = ["bird", "cat", "dog"]


@pytest.fixture
def images():
    return torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)


@pytest.fixture
def axes():
    return Figure().subplots(1, 7)


def drawn_image(ax, index=0):
    return np.asarray(ax.images[index].get_array())


def render(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return Image.open(buffer).convert("RGB")


HISTORY = [
    {"epoch": 1.0, "step": 10, "train_loss": 2.0, "train_accuracy": 0.2, "learning_rate": 1e-3},
    {"epoch": 2.0, "step": 20, "train_loss": 1.5, "validation_loss": 1.6, "validation_accuracy": 0.5},
    {"epoch": 3.0, "step": 30, "train_loss": None, "train_accuracy": 0.6, "learning_rate": 5e-4},
]

# Each figure function with small data, and how many axes it takes: for the tests that hold for all of them.
EVERY = {
    "training_curves": (lambda **k: plots.training_curves(HISTORY, **k), 3),
    "class_accuracy_bars": (lambda **k: plots.class_accuracy_bars([0.5, 0.7, None], NAMES, [8, 9, 0], **k), 1),
    "confusion_heatmap": (lambda **k: plots.confusion_heatmap([[5, 1, 0], [0, 4, 2], [0, 0, 0]], NAMES, **k), 1),
    "reliability_diagram": (
        lambda **k: plots.reliability_diagram(calibration(torch.randn(20, 3), torch.arange(20) % 3), **k),
        2,
    ),
    "image_gallery": (lambda **k: plots.image_gallery(torch.rand(3, 3, 4, 4), NAMES, title="Title", **k), 3),
    "prediction_gallery": (
        lambda **k: plots.prediction_gallery(torch.rand(2, 1, 4, 4), torch.randn(2, 3), NAMES, **k),
        2,
    ),
    "patch_grid": (lambda **k: plots.patch_grid(torch.rand(3, 8, 12), 4, **k), 2),
    "attention_overlays": (
        lambda **k: plots.attention_overlays(torch.rand(2, 3, 8, 8), torch.rand(2, 8, 8), uniform=0.1, **k),
        6,
    ),
    "heads_overview": (lambda **k: plots.heads_overview(torch.rand(2, 3, 4, 5), uniform=0.1, **k), 1),
    "attention_distance": (lambda **k: plots.attention_distance(torch.rand(4, 3), uniform=0.5, **k), 1),
    "deletion_curves": (
        lambda **k: plots.deletion_curves(
            {"map": DeletionCurve(torch.tensor([0.0, 0.5, 1.0]), torch.rand(4, 3), torch.rand(4, 3))}, **k
        ),
        1,
    ),
    "position_similarity_grid": (lambda **k: plots.position_similarity_grid(torch.eye(6), (2, 3), **k), 1),
    "patch_filters": (lambda **k: plots.patch_filters(torch.randn(10, 48), **k), 1),
    "line_chart": (
        lambda **k: plots.line_chart({"a": ([1, 2], [3, 4])}, title="Title", x_label="x", y_label="y", **k),
        1,
    ),
    "bar_chart": (lambda **k: plots.bar_chart({"a": 1, "b": 2}, title="Title", x_label="length", **k), 1),
    "matrix": (lambda **k: plots.matrix(torch.rand(2, 3), title="Title", **k), 1),
    "histogram": (lambda **k: plots.histogram({"a": torch.rand(9)}, title="Title", x_label="x", **k), 1),
    "seed_dots": (lambda **k: plots.seed_dots({"a": [1, 2], "b": [3]}, title="Title", x_label="accuracy", **k), 1),
    "seed_lines": (
        lambda **k: plots.seed_lines({"a": ([1, 2], [[3, 4]])}, title="Title", x_label="x", y_label="y", **k),
        1,
    ),
}
TESTED_ELSEWHERE = {"mistake_gallery", "matrix_equation", "position_similarity_panels"}


@pytest.fixture(scope="module", params=EVERY)
def every(request):
    """A figure function, how many axes it takes, and its figure, drawn once."""
    function, count = EVERY[request.param]
    torch.manual_seed(0)
    before = dict(mpl.rcParams)
    figure = function()
    picture = render(figure)
    assert dict(mpl.rcParams) == before, "matplotlib's settings were changed for good"
    return function, count, figure, picture


# ---------------------------------------------------------------------- all figures alike


def test_the_list_above_is_complete():
    functions = {name for name in plots.__all__ if callable(getattr(plots, name))} - {"NotebookFigure"}
    assert functions == set(EVERY) | TESTED_ELSEWHERE


def test_a_figure_is_described_titled_and_white(every):
    _, _, figure, picture = every
    assert isinstance(figure, plots.NotebookFigure)
    assert len(figure.get_label()) > 20
    assert "\n" not in figure.get_label()
    titles = [ax.get_title() for ax in figure.axes] + [figure.get_suptitle()]
    assert any(titles)
    assert picture.getpixel((0, 0)) == (255, 255, 255)


def test_no_text_is_cut_off_or_runs_into_other_text(every):
    figure = every[2]
    renderer = figure._get_renderer()
    boxes = []
    for ax in figure.axes:
        texts = [ax.title, ax.xaxis.label, ax.yaxis.label]
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [
                tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high
            ]  # the others are not drawn
            texts += [label for tick in ticks for label in (tick.label1, tick.label2)]
        boxes += [
            (text.get_text(), text.get_window_extent(renderer))
            for text in texts
            if text.get_text() and text.get_visible()
        ]
    width, height = figure.canvas.get_width_height()
    for text, box in boxes:
        assert box.x0 >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y0 >= -1, text
        assert box.y1 <= height + 1, text
    for index, (text, box) in enumerate(boxes):
        for other, other_box in boxes[index + 1 :]:
            rotated = text in NAMES or other in NAMES  # the box round a slanted word is larger than the word
            assert rotated or not box.shrunk(0.95, 0.9).overlaps(other_box.shrunk(0.95, 0.9)), (text, other)


def test_axes_that_are_given_are_drawn_into(every, axes):
    function, count, *_ = every
    host = axes[0].figure
    given = axes[:count]
    figure = function(ax=given[0]) if count == 1 else function(axes=given)
    assert figure is host
    assert all(ax.has_data() for ax in given)
    assert not any(ax.has_data() for ax in axes[count:])
    assert host.get_label() == ""  # a figure that is not ours is not described by us


def test_a_wrong_number_of_axes_is_refused(every, axes):
    function, count, *_ = every
    if count > 1:
        with pytest.raises(ValueError, match=f"needs {count} axes, but {count - 1} were given"):
            function(axes=axes[: count - 1])


def test_axes_inside_a_subfigure_belong_to_the_whole_figure():
    host = Figure()
    ax = host.subfigures(1, 2)[1].subplots()
    assert plots.attention_distance(torch.rand(2, 2), ax=ax) is host


THEME = {
    "figure.facecolor": "black",
    "savefig.facecolor": "black",
    "axes.facecolor": "black",
    "text.color": "white",
    "xtick.color": "white",
    "ytick.color": "red",
    "ytick.labelsize": 20,
    "axes.unicode_minus": False,
    "savefig.dpi": 50,
}


def test_a_dark_theme_does_not_shine_through(every):
    function, _, _, plain = every
    torch.manual_seed(0)
    with mpl.rc_context(THEME):
        assert render(function()).tobytes() == plain.tobytes()


def test_a_dark_theme_does_not_shine_through_pyplots_display():
    def display(figure):  # what IPython does once pyplot was imported
        buffer = io.BytesIO()
        figure.canvas.print_figure(buffer, format="png", facecolor=figure.get_facecolor(), dpi=figure.dpi)
        return buffer.getvalue()

    plain = display(plots.position_similarity_grid(torch.eye(4), (2, 2)))
    with mpl.rc_context(THEME):
        assert display(plots.position_similarity_grid(torch.eye(4), (2, 2))) == plain


# ---------------------------------------------------------------------- display


def test_matplotlib_comes_with_plots_only_and_pyplot_never():
    code = (
        "import sys, course_utils; assert 'matplotlib' not in sys.modules\n"
        "import course_utils.analysis.evaluation, course_utils.analysis.attention_maps\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from course_utils import plots; plots.patch_filters(__import__('torch').randn(4, 48))._repr_png_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_notebook_shows_a_figure_once_with_and_without_pyplot():
    cells = [
        "from course_utils import plots\nfigure = plots.confusion_heatmap([[1]], ['cat'])\nfigure",
        "figure;",
        "import matplotlib.pyplot as plt\n%matplotlib inline\nfigure",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
    bare, silent, with_pyplot = notebook.cells
    assert silent.outputs == []
    for cell in (bare, with_pyplot):
        (output,) = cell.outputs
        assert output.data["image/png"]
        assert output.data["text/plain"].startswith("Confusion matrix of 1 classes.")
        assert output.metadata["image/png"]["alt"] == output.data["text/plain"]


def test_the_picture_is_drawn_by_the_figure_itself():
    figure = plots.attention_distance(torch.rand(2, 2))
    picture = Image.open(io.BytesIO(figure._repr_png_()))
    assert picture.format == "PNG"
    assert picture.size == (650, 380)
    words, metadata = figure._repr_mimebundle_(include=None, exclude=None)
    assert words == {"text/plain": figure.get_label()}
    assert metadata == {"image/png": {"alt": figure.get_label()}}


# ---------------------------------------------------------------------- training and results


def test_training_curves_draw_every_known_point():
    figure = plots.training_curves(HISTORY)
    loss, accuracy, rate = figure.axes
    curves = {(ax.get_title(), line.get_label()): line.get_xydata().tolist() for ax in figure.axes for line in ax.lines}
    assert curves == {
        ("Loss", "training"): [[1, 2.0], [2, 1.5]],
        ("Loss", "validation"): [[2, 1.6]],
        ("Accuracy", "training"): [[1, 20], [3, 60]],
        ("Accuracy", "validation"): [[2, 50]],
        ("Learning rate", "learning rate"): [[1, 1e-3], [3, 5e-4]],
    }
    assert [ax.get_ylabel() for ax in figure.axes] == ["cross-entropy in nats", "accuracy in %", "learning rate"]
    assert {ax.get_xlabel() for ax in figure.axes} == {"epoch"}
    assert [text.get_text() for text in loss.get_legend().texts] == ["training", "validation"]
    assert rate.get_legend() is None
    first, second = accuracy.lines
    for look in ("get_color", "get_linestyle", "get_marker"):  # no reader depends on the colour alone
        assert getattr(first, look)() != getattr(second, look)()
    assert "validation loss 1.6" in figure.get_label()


def test_training_curves_over_the_step_and_with_little():
    figure = plots.training_curves([{"step": 5, "train_loss": 3.0}, {"step": 9, "train_loss": 2.0}], x="step")
    (ax,) = figure.axes
    assert ax.get_xlabel() == "step"
    assert ax.lines[0].get_xydata().tolist() == [[5, 3], [9, 2]]


@pytest.mark.parametrize("history", [[], [{"epoch": 1, "loss": 2.0}], [{"train_loss": 2.0}]])
def test_training_curves_need_something_to_draw(history):
    with pytest.raises(ValueError, match="nothing to draw over 'epoch'"):
        plots.training_curves(history)


def test_class_accuracy_bars():
    figure = plots.class_accuracy_bars([0.5, None, 0.9], NAMES, counts=[100, 0, 36])
    (ax,) = figure.axes
    widths = [bar.get_width() for bar in ax.patches]
    assert [widths[0], widths[2]] == pytest.approx([50, 90])
    assert math.isnan(widths[1])
    assert [label.get_text() for label in ax.get_yticklabels()] == NAMES
    assert ax.yaxis_inverted()
    assert [text.get_text() for text in ax.texts] == ["50.0", "no images", "90.0"]
    errors = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments() if len(segment)]
    assert errors[0] == pytest.approx([45, 55])  # sqrt(0.5 * 0.5 / 100) = 5%
    assert errors[-1] == pytest.approx([85, 95])  # sqrt(0.9 * 0.1 / 36) = 5%
    assert [x for line in ax.lines if line.get_linestyle() == "--" for x in line.get_xdata()] == pytest.approx([70, 70])
    assert "70.0%" in ax.get_title()
    assert "from 50.0% (bird) to 90.0% (dog)" in figure.get_label()


def test_class_accuracy_bars_without_counts_have_no_errors():
    (ax,) = plots.class_accuracy_bars(torch.tensor([0.5, math.nan]), NAMES[:2]).axes
    assert not ax.collections
    assert ax.get_xlabel() == "accuracy in %"
    with pytest.raises(ValueError, match="No class has any image"):
        plots.class_accuracy_bars([None], ["cat"])
    with pytest.raises(ValueError, match="2 accuracies, but 3 class names"):
        plots.class_accuracy_bars([0.5, 0.5], NAMES)


def test_confusion_heatmap_shows_counts_or_shares():
    matrix = [[6, 2, 0], [1, 3, 0], [0, 0, 0]]
    figure = plots.confusion_heatmap(matrix, NAMES)
    ax, bar = figure.axes
    assert drawn_image(ax).tolist() == matrix
    assert [text.get_text() for text in ax.texts] == ["6", "2", "0", "1", "3", "0", "0", "0", "0"]
    assert [text.get_position() for text in ax.texts][1] == (1, 0)  # column 1, row 0: true bird, predicted cat
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert bar.get_ylabel() == "images"
    assert "75.0% lie on the diagonal" in figure.get_label()
    assert "2 times cat instead of bird" in figure.get_label()
    shares = plots.confusion_heatmap(torch.tensor(matrix), NAMES, percent=True)
    assert drawn_image(shares.axes[0]).tolist() == [[75, 25, 0], [25, 75, 0], [0, 0, 0]]
    assert shares.axes[1].get_ylabel() == "% of the true class"


def test_numbers_in_the_cells_stand_out_from_the_cell():
    matrix = np.arange(100).reshape(10, 10)
    ax = plots.confusion_heatmap(matrix.tolist(), [str(i) for i in range(10)]).axes[0]
    for text, value in zip(ax.texts, matrix.ravel(), strict=True):
        cell, ink = (_luminance(mpl.colors.to_rgb(c)) for c in (ax.images[0].to_rgba(value), text.get_color()))
        assert (max(cell, ink) + 0.05) / (min(cell, ink) + 0.05) > 3  # WCAG's least contrast for graphics


def _luminance(colour):
    """Relative luminance as WCAG defines it."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_confusion_heatmap_of_many_classes_has_no_numbers():
    assert not plots.confusion_heatmap(torch.eye(21).long(), [str(i) for i in range(21)]).axes[0].texts
    with pytest.raises(ValueError, match="3 class names need a confusion matrix of 3x3, not \\(2, 2\\)"):
        plots.confusion_heatmap(torch.eye(2).long(), NAMES)


def test_reliability_diagram():
    result = calibration(
        torch.tensor([[math.log(9), 0], [math.log(4), 0], [math.log(1.5), 0]]), torch.tensor([0, 1, 0]), 4
    )
    figure = plots.reliability_diagram(result)
    upper, lower = figure.axes
    assert [bar.get_height() for bar in upper.patches] == [1.0, 0.5]
    assert [bar.get_x() for bar in upper.patches] == [0.5, 0.75]
    np.testing.assert_allclose(upper.lines[0].get_xydata(), [[0, 0], [1, 1]])
    np.testing.assert_allclose(upper.lines[1].get_xydata(), [[0.6, 1.0], [0.85, 0.5]])
    assert [bar.get_height() for bar in lower.patches] == [0, 0, 1, 2]
    assert f"{100 * result.error:.1f} points" in upper.get_title()
    assert (upper.get_ylabel(), lower.get_ylabel()) == ("accuracy", "images")


# ---------------------------------------------------------------------- pictures


def test_image_gallery_draws_the_pixels_and_the_captions(images):
    figure = plots.image_gallery(images, ["a", "b", "c", "d\ne"], title="Four", columns=3)
    assert figure.get_suptitle() == "Four"
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title() for ax in shown] == ["a", "b", "c", "d\ne"]
    assert len(figure.axes) == 6
    for ax, image in zip(shown, images, strict=True):
        np.testing.assert_allclose(drawn_image(ax), image.permute(1, 2, 0) / 255, rtol=1e-6)
        assert ax.images[0].get_interpolation() == "nearest"


def test_grey_images_are_drawn_grey_from_0_to_1():
    (ax,) = plots.image_gallery(torch.full((1, 1, 2, 2), 0.25)).axes
    assert drawn_image(ax).tolist() == [[0.25, 0.25], [0.25, 0.25]]
    assert ax.images[0].get_clim() == (0, 1)
    assert ax.images[0].get_cmap().name == "gray"


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (torch.randn(2, 3, 4, 4) * 9, "so they are normalised: give the uint8 image"),
        (torch.rand(2, 2, 4, 4), r"must be \(3, H, W\) or \(1, H, W\), not \(2, 4, 4\)"),
        (torch.rand(2, 4, 4), r"not \(4, 4\)"),
        (torch.rand(0, 3, 4, 4), "no images to draw"),
        (torch.rand(3, 3, 4, 4), "2 captions for 3 images"),
    ],
)
def test_image_gallery_refuses_what_it_cannot_draw(bad, sentence):
    with pytest.raises(ValueError, match=sentence):
        plots.image_gallery(bad, ["a", "b"])


def test_prediction_gallery_names_prediction_probability_and_truth(images):
    logits = torch.tensor([[math.log(4), 0, -99], [0, 0, math.log(18)]])  # 0.8 bird; 0.9 dog
    figure = plots.prediction_gallery(images[:2], logits, NAMES, torch.tensor([0, 1]))
    assert [ax.get_title() for ax in figure.axes] == ["bird 80%\ntrue: bird", "dog 90%\ntrue: cat"]
    figure = plots.prediction_gallery(images[:2], logits, NAMES)
    assert [ax.get_title() for ax in figure.axes] == ["bird 80%", "dog 90%"]


def test_mistake_gallery_shows_the_most_confident_first(images):
    logits = torch.tensor([[5.0, 0, 0], [0, 2.0, 0], [0, 0, 9.0], [3.0, 0, 0]])
    labels = torch.tensor([0, 0, 0, 1])  # image 0 is right; 2 is the most confident mistake, then 3, then 1
    figure = plots.mistake_gallery(images, logits, labels, NAMES, count=2)
    assert [ax.get_title().split("\n")[1] for ax in figure.axes] == ["true: bird", "true: cat"]
    for ax, index in zip(figure.axes, (2, 3), strict=True):
        np.testing.assert_allclose(drawn_image(ax), images[index].permute(1, 2, 0) / 255, rtol=1e-6)
    with pytest.raises(ValueError, match="no mistake"):
        plots.mistake_gallery(images, logits, logits.argmax(1), NAMES)


def test_patch_grid_draws_lines_and_patches_in_raster_order():
    image = torch.rand(3, 4, 6)
    figure = plots.patch_grid(image, 2)
    whole, apart = figure.axes
    np.testing.assert_allclose(drawn_image(whole), image.permute(1, 2, 0), rtol=1e-6)
    lines = [line.get_xydata() for line in whole.lines]
    assert {xy[0, 0] for xy in lines if xy[0, 0] == xy[1, 0]} == {-0.5, 1.5, 3.5, 5.5}
    assert {xy[0, 1] for xy in lines if xy[0, 1] == xy[1, 1]} == {-0.5, 1.5, 3.5}
    canvas = drawn_image(apart)
    assert canvas.shape == (5, 8, 3)  # 2x3 patches of 2x2 and gaps of one pixel
    assert [text.get_text() for text in apart.texts] == ["0", "1", "2", "3", "4", "5"]
    for index, patch in enumerate(patchify(image, 2)):
        row, column = divmod(index, 3)
        tile = canvas[3 * row : 3 * row + 2, 3 * column : 3 * column + 2]
        np.testing.assert_allclose(tile, patch.reshape(3, 2, 2).permute(1, 2, 0), rtol=1e-6)
        x, y = apart.texts[index].get_position()
        assert (round(y), round(x)) == (3 * row, 3 * column)
    assert (canvas[2] == 1).all()
    assert apart.get_title() == "6 patches of 2×2 pixels"


def test_many_patches_are_not_numbered():
    assert not plots.patch_grid(torch.rand(1, 22, 22), 2).axes[1].texts


# ---------------------------------------------------------------------- attention


def test_attention_overlays_draw_image_map_and_scale():
    images, maps = torch.rand(2, 3, 8, 8), torch.rand(2, 4, 4) * torch.tensor([1.0, 0.1])[:, None, None]
    figure = plots.attention_overlays(images, maps, ["cat", "dog"], uniform=0.05, label="weight")
    panels = np.array(figure.axes[:6]).reshape(2, 3)
    bars = figure.axes[6:]
    for index, row in enumerate(panels):
        np.testing.assert_allclose(drawn_image(row[0]), images[index].permute(1, 2, 0), rtol=1e-6)
        np.testing.assert_allclose(drawn_image(row[1]), images[index].permute(1, 2, 0), rtol=1e-6)
        np.testing.assert_array_equal(drawn_image(row[2]), maps[index])
        tint = drawn_image(row[1], 1)  # one colour, as strong as the weight
        np.testing.assert_allclose(tint[..., 3], MOST_TINT * maps[index] / maps[index].max(), rtol=1e-5)
        np.testing.assert_allclose(tint[..., :3], np.broadcast_to(to_rgb(TINT), (4, 4, 3)))
        assert row[1].images[1].get_extent() == row[1].images[0].get_extent()  # the map covers the whole image
        assert row[2].images[0].get_clim() == (0, maps[index].max().item())
        assert row[2].get_title() == "map, own scale"
        assert bars[index].get_ylabel() == "weight"
        assert {line.get_ydata()[0] for line in bars[index].lines} == {0.05}
        assert "0.05" in bars[index].get_title(loc="left")
    assert [row[0].get_title() for row in panels] == ["cat", "dog"]


def test_attention_overlays_side_by_side():
    figure = plots.attention_overlays(torch.rand(3, 3, 8, 8), torch.rand(3, 8, 8), ["a", "b", "c"], columns=2)
    pictures = [ax for ax in figure.axes if ax.get_title() in ("a", "b", "c")]
    figure.draw_without_rendering()
    left, right, below = (ax.get_window_extent() for ax in pictures)
    assert left.x1 < right.x0
    assert left.y0 > below.y1
    assert len(figure.axes) == 3 * 4  # three for each image and its colour bar; none left empty
    assert "Attention maps over 3 images. a: largest value" in figure.get_label()


def test_attention_overlays_on_one_scale():
    maps = torch.tensor([[[0.1, 0.2]], [[0.3, 0.9]]])
    figure = plots.attention_overlays(torch.rand(2, 1, 2, 4), maps, shared_scale=True)
    assert [figure.axes[i].images[0].get_clim() for i in (2, 5)] == [(0, pytest.approx(0.9))] * 2
    assert figure.axes[2].get_title() == "map, shared scale"
    assert [figure.axes[i].get_title() for i in (0, 3)] == ["image 0", "image 1"]
    figure = plots.attention_overlays(torch.rand(2, 1, 2, 4), maps, shared_scale=True, top=2.0)
    assert [figure.axes[i].images[0].get_clim() for i in (2, 5)] == [(0, 2)] * 2
    np.testing.assert_allclose(drawn_image(figure.axes[1], 1)[0, :, 3], [MOST_TINT * 0.05, MOST_TINT * 0.1], rtol=1e-5)


def test_the_line_for_uniform_is_always_on_the_bar():
    figure = plots.attention_overlays(torch.rand(1, 3, 2, 2), torch.full((1, 2, 2), 0.01), uniform=0.2)
    assert figure.axes[2].images[0].get_clim() == (0, pytest.approx(0.2))
    figure = plots.heads_overview(torch.full((1, 1, 2, 2), 0.01), uniform=0.2)
    assert figure.axes[0].images[0].get_clim() == (0, 0.2)


@pytest.mark.parametrize(("maps", "captions"), [((1, 4, 4), None), ((2, 1, 4, 4), None), ((2, 4, 4), ["a"])])
def test_attention_overlays_refuse_what_does_not_fit(maps, captions):
    with pytest.raises(ValueError, match=r"2 images need maps of shape \(2, H, W\) and 2 captions"):
        plots.attention_overlays(torch.rand(2, 3, 4, 4), torch.rand(maps), captions)


def test_heads_overview_puts_each_map_in_its_place():
    maps = torch.rand(2, 3, 4, 5)
    ax, bar = plots.heads_overview(maps).axes
    canvas = np.ma.filled(ax.images[0].get_array().astype(float), np.nan)
    for layer in range(2):
        for head in range(3):
            tile = canvas[5 * layer : 5 * layer + 4, 6 * head : 6 * head + 5]  # gaps of one cell
            np.testing.assert_allclose(tile, maps[layer, head])
    assert np.isnan(canvas[4]).all()
    assert ax.images[0].get_clim() == (0, maps.max().item())
    assert (ax.get_xlabel(), ax.get_ylabel(), bar.get_ylabel()) == ("head", "layer", "attention weight")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1", "2"]
    assert list(ax.get_xticks()) == [2, 8, 14]  # the middle of each map


def test_heads_overview_can_scale_each_map_by_itself():
    maps = torch.rand(1, 2, 2, 2) * torch.tensor([1.0, 0.01])[None, :, None, None]
    figure = plots.heads_overview(maps, shared_scale=False, uniform=0.1, title="Mine")
    ax, bar = figure.axes
    assert np.nanmax(drawn_image(ax)[:, :2]) == np.nanmax(drawn_image(ax)[:, 3:]) == 1
    assert ax.images[0].get_clim() == (0, 1)
    assert ax.get_title() == "Mine"
    assert bar.get_ylabel() == "weight / largest weight of the map"
    assert not bar.lines  # one uniform value has no place on many scales
    with pytest.raises(ValueError, match=r"must be \(L, h, rows, columns\)"):
        plots.heads_overview(maps[0])


def test_attention_distance_draws_a_dot_for_each_head():
    distances = torch.tensor([[4.0, 8.0], [10.0, 12.0], [16.0, 16.0]])
    (ax,) = plots.attention_distance(distances, uniform=14.0).axes
    mean, dots, uniform = ax.lines
    assert mean.get_xydata().tolist() == [[0, 6], [1, 11], [2, 16]]
    assert dots.get_xydata().tolist() == [[0, 4], [0, 8], [1, 10], [1, 12], [2, 16], [2, 16]]
    assert uniform.get_ydata() == [14.0, 14.0]
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] > 16
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("layer", "distance in pixels")
    assert len(plots.attention_distance(distances).axes[0].lines) == 2


def test_deletion_curves_draw_means_bands_and_areas():
    x = torch.tensor([0.0, 0.5, 1.0])
    ordered, chance = torch.tensor([[1.0, 0.2, 0.0], [0.8, 0.4, 0.0]]), torch.tensor([[1.0, 0.6, 0.0], [0.8, 0.6, 0.0]])
    other = DeletionCurve(x, ordered / 2, chance / 2)
    figure = plots.deletion_curves({"rollout": DeletionCurve(x, ordered, chance), "other": other})
    (ax,) = figure.axes
    curves = {line.get_label().split(":")[0]: line.get_xydata() for line in ax.lines}
    np.testing.assert_allclose(curves["rollout"], [[0, 0.9], [50, 0.3], [100, 0]], rtol=1e-6)
    np.testing.assert_allclose(curves["other"], [[0, 0.45], [50, 0.15], [100, 0]], rtol=1e-6)
    np.testing.assert_allclose(curves["random order"], [[0, 0.9], [50, 0.6], [100, 0]], rtol=1e-6)
    assert ax.lines[0].get_label() == "rollout: 0.375"
    band = ax.collections[0].get_paths()[0].vertices
    # One standard error at the start: the standard deviation of (1, 0.8), 0.1414, over the root of 2.
    assert sorted(band[band[:, 0] == 0][:, 1].round(6))[0] == pytest.approx(0.8)
    assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in ax.lines}) == 3
    assert ax.get_xlabel() == "patches taken away in %"


def test_the_deletion_curve_of_one_image_has_no_band():
    curve = DeletionCurve(torch.tensor([0.0, 1.0]), torch.rand(1, 2), torch.rand(1, 2))
    assert not plots.deletion_curves({"map": curve}).axes[0].collections
    with pytest.raises(ValueError, match="no deletion curve"):
        plots.deletion_curves({})


# ---------------------------------------------------------------------- weights


def test_position_similarity_grid():
    similarity = torch.rand(6, 6) * 2 - 1
    ax, bar = plots.position_similarity_grid(similarity, (2, 3)).axes
    canvas = drawn_image(ax)
    for patch in range(6):
        row, column = divmod(patch, 3)
        tile = canvas[3 * row : 3 * row + 2, 4 * column : 4 * column + 3]
        np.testing.assert_allclose(tile, similarity[patch].reshape(2, 3))
    assert ax.images[0].get_clim() == (-1, 1)
    assert bar.get_ylabel() == "cosine similarity"
    (narrow,) = plots.position_similarity_grid(similarity, (2, 3), limits=(0.5, 1.0)).axes[0].images
    assert narrow.get_clim() == (0.5, 1.0)
    with pytest.raises(ValueError, match="A grid of 2x2 needs a similarity of 4x4, not \\(6, 6\\)"):
        plots.position_similarity_grid(similarity, (2, 2))


def test_patch_filters_as_they_are():
    weight = torch.randn(5, 12)  # patches of 2x2 pixels, 3 channels
    (ax,) = plots.patch_filters(weight, principal=False, count=4, columns=3).axes
    canvas = drawn_image(ax)
    assert canvas.shape == (5, 8, 3)
    for index in range(4):
        row, column = divmod(index, 3)
        tile = canvas[3 * row : 3 * row + 2, 3 * column : 3 * column + 2]
        expected = (weight[index] / weight[index].abs().max() / 2 + 0.5).reshape(3, 2, 2).permute(1, 2, 0)
        np.testing.assert_allclose(tile, expected, rtol=1e-5)
    assert (canvas[3:, 3:] == 1).all()  # white where the row is not full
    assert ax.get_title() == "Patch embedding: 4 filters"


def test_principal_filters_come_strongest_first():
    strong, weak = torch.eye(4)[0], torch.eye(4)[3]
    weight = torch.stack([5 * strong, -5 * strong, weak])  # (D=3, C*P*P=4): one channel, patches of 2x2
    (ax,) = plots.patch_filters(weight, in_channels=1, count=2, columns=2, title="Mine").axes
    canvas = np.abs(drawn_image(ax) - 0.5) * 2
    np.testing.assert_allclose(canvas[:, :2], [[1, 0], [0, 0]], atol=1e-5)
    np.testing.assert_allclose(canvas[:, 3:], [[0, 0], [0, 1]], atol=1e-5)
    assert ax.get_title() == "Mine"


def test_mosaic_by_hand():
    tiles = np.arange(8).reshape(1, 2, 2, 2)
    assert mosaic(tiles, gap=1, fill=-1).tolist() == [[0, 1, -1, 4, 5], [2, 3, -1, 6, 7]]
