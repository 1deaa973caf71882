"""The diagrams: laid out without collisions, and their numbers follow what is given."""

import importlib.util
import inspect
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.transforms import Bbox

from course_utils.analysis.attention_maps import rollout
from course_utils.lessons import LESSONS
from course_utils.model.config import ViTConfig
from course_utils.model.patches import patchify
from course_utils.plots import diagrams
from course_utils.plots.diagrams.start import PAPERS

ROOT = Path(__file__).parents[2]
CONFIG = ViTConfig.preset("cifar_micro")

EVERY = {
    "pipeline": lambda: diagrams.pipeline(CONFIG, torch.zeros(3, 32, 32, dtype=torch.uint8)),
    "pipeline, b16": lambda: diagrams.pipeline(ViTConfig.preset("vit_b_16")),
    "pipeline, h14": lambda: diagrams.pipeline(ViTConfig.preset("vit_h_14")),
    "pipeline, mean": lambda: diagrams.pipeline(ViTConfig(patch_size=8, pooling="mean")),
    "pipeline, one patch": lambda: diagrams.pipeline(ViTConfig(patch_size=32, depth=1, num_classes=2)),
    "pipeline, registers": lambda: diagrams.pipeline(
        ViTConfig(position="rotary", num_registers=4, in_channels=1, num_classes=3)
    ),
    "pipeline, no head": lambda: diagrams.pipeline(
        ViTConfig(image_size=(16, 32), position="none", pooling="attention", num_classes=0, pre_norm=False)
    ),
    "course_map": lambda: diagrams.course_map(),
    "course_map, all": lambda: diagrams.course_map(lessons(written=range(19))),
    "course_map, two full rows": lambda: diagrams.course_map(LESSONS[:16]),
    "timeline": lambda: diagrams.timeline(),
    "convolution_and_attention": lambda: diagrams.convolution_and_attention(),
    "patch_order": lambda: diagrams.patch_order(),
    "patch_order, wide": lambda: diagrams.patch_order(2, 3, 2),
    "patch_order, large": lambda: diagrams.patch_order(1, 2, 3),
    "embedding_sum": lambda: diagrams.embedding_sum(CONFIG),
    "embedding_sum, mean": lambda: diagrams.embedding_sum(CONFIG.replace(pooling="mean")),
    "embedding_sum, registers": lambda: diagrams.embedding_sum(
        ViTConfig.preset("vit_h_14", num_registers=4, position="sincos2d")
    ),
    "attention_head": lambda: diagrams.attention_head(),
    "multi_head": lambda: diagrams.multi_head(),
    "multi_head, 1": lambda: diagrams.multi_head(1),
    "multi_head, 6": lambda: diagrams.multi_head(6),
    "transformer_block": lambda: diagrams.transformer_block(),
    "rollout_steps": lambda: diagrams.rollout_steps(),
    "shifted_windows": lambda: diagrams.shifted_windows(),
    "data_splits": lambda: diagrams.data_splits(45_000, 5_000, 10_000),
    "data_splits, empty": lambda: diagrams.data_splits(1_281_167, 0, 50_000),
}


def lessons(written):
    """The lessons of the table, as if those with these numbers could be read."""
    facts = {"module": "m", "about": "a", "minutes": 1, "budget": 1}
    return [replace(each, notebook="n" if each.number in written else "", **facts) for each in LESSONS]


def boxes_of(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def layout_faults(figure):
    """Say what is wrong with the layout: texts that collide, are cut off, leave their box, or lie under a line."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    (ax,) = figure.axes
    figure.draw_without_rendering()
    texts = [(text, text.get_window_extent(renderer)) for text in ax.texts if text.get_text()]
    boxes = [patch.get_window_extent(renderer) for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    # A line's own path, without its head: in inches, which are the axes' units.
    lines = [
        ax.transData.transform_path(patch._path_original) for patch in ax.patches if isinstance(patch, FancyArrowPatch)
    ]
    page = Bbox.from_bounds(4, 4, figure.bbox.width - 8, figure.bbox.height - 8)
    faults = []
    for (one, a), (two, b) in combinations(texts, 2):
        if a.overlaps(b):
            faults.append(f"{one.get_text()!r} and {two.get_text()!r} overlap")
    for text, extent in texts:
        name = repr(text.get_text())
        if text.get_fontsize() < 10:
            faults.append(f"{name} is too small")
        if not inside(extent, page):
            faults.append(f"{name} leaves the figure")
        centre = (extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2
        around = [box for box in boxes if box.contains(*centre)]
        if around:
            if not inside(extent, min(around, key=lambda box: box.width * box.height)):
                faults.append(f"{name} leaves its box")
        elif any(line.intersects_bbox(extent, filled=False) for line in lines):
            faults.append(f"{name} lies on a line")
        elif any(box.overlaps(extent) for box in boxes):
            faults.append(f"{name} touches a box")
    return faults


def inside(inner, outer):
    return outer.x0 <= inner.x0 and outer.y0 <= inner.y0 and inner.x1 <= outer.x1 and inner.y1 <= outer.y1


@pytest.mark.parametrize("name", EVERY)
def test_diagram_has_a_description_and_a_clean_layout(name):
    figure = EVERY[name]()
    assert len(figure.get_label()) >= 60
    assert figure.get_figwidth() <= 10
    assert figure.dpi == 100
    assert figure.get_facecolor() == (1, 1, 1, 1)
    assert layout_faults(figure) == []


@pytest.mark.parametrize(
    ("move", "fault"),
    [
        (lambda text: text.set_position((1.0, 2.05)), "overlap"),
        (lambda text: text.set_position((9.9, 0.3)), "leaves the figure"),
        (lambda text: text.set_position((3.55, 1.33)), "leaves its box"),
        (lambda text: text.set_fontsize(9), "too small"),
    ],
)
def test_the_layout_test_sees_a_fault(move, fault):
    figure = diagrams.data_splits(45_000, 5_000, 10_000)
    (text,) = [text for text in figure.axes[0].texts if text.get_text() == "10,000"]
    move(text)
    assert any(fault in said for said in layout_faults(figure))


def test_the_layout_test_sees_a_word_on_a_line():
    figure = diagrams.attention_head()
    figure.axes[0].text(6, 0.8, "v", ha="center", va="center", fontsize=11)
    assert layout_faults(figure) == ["'v' lies on a line"]


def test_pipeline_numbers_follow_the_config():
    said = words(diagrams.pipeline(ViTConfig(patch_size=8, embed_dim=96, depth=5, num_classes=7)))
    shapes = [text for text in said if text.startswith("(")]
    assert shapes == ["(3, 32, 32)", "(16, 192)", "(16, 96)", "(17, 96)", "(17, 96)", "(17, 96)", "(96,)", "(7,)"]
    assert {"16 patches", "patch 15", "code 16", "encoder: 5 blocks, then a norm", "class token"} <= set(said)


def test_pipeline_of_mean_pooling_has_no_class_token():
    figure = diagrams.pipeline(ViTConfig(patch_size=8, pooling="mean"))
    said = words(figure)
    assert not any("class token" in text or text == "class" for text in said)
    assert "mean of the\npatch tokens" in said
    assert "(17, 192)" not in said
    assert "class token" not in figure.get_label()


def test_pipeline_adds_codes_only_if_the_model_does():
    said = words(diagrams.pipeline(ViTConfig(position="rotary")))
    assert "rotary positions in every block" in said
    assert not any(text.startswith("code") or "codes" in text for text in said)


def test_pipeline_shows_the_image_and_refuses_another_size():
    image = torch.zeros(3, 32, 32)
    image[0] = 1
    shown = diagrams.pipeline(CONFIG, image).axes[0].images[0].get_array()
    assert (shown == [1, 0, 0]).all()
    with pytest.raises(ValueError, match=r"wants an image of shape \(3, 32, 32\)"):
        diagrams.pipeline(CONFIG, image[:, :16])


def test_course_map_draws_what_is_not_written_dashed():
    for written, said in ((range(1), "dashed: 01, 02, 03"), (range(19), "dashed: none")):
        assert said in diagrams.course_map(lessons(written)).get_label()
    solid = [box.get_linestyle() == "solid" for box in boxes_of(diagrams.course_map(lessons(written=[0, 2])))]
    assert solid == [number in (0, 2) for number in range(len(LESSONS))] + [True, False]  # and the legend


def test_course_map_names_every_lesson_of_the_table_and_its_part():
    figure = diagrams.course_map()
    said = [text.replace("\n", " ") for text in words(figure)]
    for each in LESSONS:
        assert {f"{each.number:02d}", each.title} <= set(said)
        assert not each.part or each.part in said
    assert "01 to 05: build the model; 06: train it;" in figure.get_label()


def test_the_kept_picture_of_the_map_shows_the_lessons_of_the_table():
    said = (ROOT / "images" / "course_map.svg").read_text(encoding="utf-8")
    assert f"<title>{diagrams.course_map().get_label()}</title>" in said  # otherwise: make images


def test_lesson_00_shows_the_lessons_of_the_table():  # lesson 00 (start)
    start = next((ROOT / "notebooks").glob("00_*.ipynb")).read_text(encoding="utf-8")
    assert diagrams.course_map().get_label() in start  # otherwise: run it anew with tools/run_notebooks.py


def test_timeline_goes_forward():
    said = words(diagrams.timeline())
    years = [int(text) for text in said if text.isdigit()]
    assert len(years) == len(PAPERS) == 8
    assert years == sorted(years)
    months = [month for month, *_ in PAPERS]
    assert months == sorted(months)
    assert all(1 <= month % 100 <= 12 for month in months)


def test_patch_order_numbers_are_those_of_patchify():
    said = [int(text) for text in words(diagrams.patch_order(2, 3, 2)) if text.isdigit()]
    pixels = torch.arange(24)
    matrix = patchify(pixels.reshape(1, 4, 6), 2)  # (1, H, W) -> (N, P*P)
    pairs = [value for row in matrix.tolist() for value in row + row]  # each patch apart, then as a row
    assert said == pixels.tolist() + pairs


@pytest.mark.parametrize("sizes", [(0, 2, 2), (8, 8, 4)])
def test_patch_order_refuses_what_it_cannot_draw(sizes):
    with pytest.raises(ValueError, match=r"at least 1|too many"):
        diagrams.patch_order(*sizes)


def test_embedding_sum_counts_tokens_and_pairs_each_with_its_code():
    said = words(diagrams.embedding_sum(ViTConfig(patch_size=8, embed_dim=96)))
    assert [text for text in said if text.startswith("(")] == ["(16, 96)", "(17, 96)", "(17, 96)", "(17, 96)"]
    assert {"class + code 0", "patch 0 + code 1", "patch 15 + code 16"} <= set(said)
    with pytest.raises(ValueError, match="no codes are added"):
        diagrams.embedding_sum(ViTConfig(position="rotary"))


def test_multi_head_draws_that_many_heads():
    said = words(diagrams.multi_head(4))
    assert [text for text in said if "head" in text][1:] == [f"attention\nhead {i}" for i in range(4)]
    for number in (0, 7):
        with pytest.raises(ValueError, match="from 1 to 6"):
            diagrams.multi_head(number)


def test_rollout_steps_are_the_packages_rollout_and_exact_to_two_digits():
    said = words(diagrams.rollout_steps())
    numbers = [float(text) for text in said if text[:2] in ("0.", "1.")]
    first, half_first, second, half_second, product = torch.tensor(numbers).reshape(5, 3, 3)
    identity = torch.eye(3)
    torch.testing.assert_close(half_first, (first + identity) / 2)
    torch.testing.assert_close(half_second, (second + identity) / 2)
    torch.testing.assert_close(product, rollout(torch.stack([first, second])[:, None]))
    assert said.count("= 1.00") == 15


def test_data_splits_bars_have_the_length_of_the_counts():
    figure = diagrams.data_splits(400, 100, 200)
    widths = [patch.get_width() for patch in figure.axes[0].patches]
    assert widths == pytest.approx([5.2, 1.3, 2.6])
    for counts in ((-1, 5, 5), (0, 0, 0)):
        with pytest.raises(ValueError, match="Counts of images"):
            diagrams.data_splits(*counts)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("draw_images", ROOT / "tools" / "draw_images.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_script_draws_the_same_bytes_twice(script, kind):
    first, second = (script.saved("data_splits", diagrams.data_splits(4, 1, 2), kind) for _ in range(2))
    assert first == second
    assert len(first) < 150_000


def test_the_badge_is_120_by_24_pixels_and_its_words_are_paths(script):
    svg = script.saved(script.BADGE, script.badge(), "svg").decode()
    assert 'width="90pt" height="18pt"' in svg  # a point is 4/3 pixels of a web page
    assert "<text" not in svg
    assert "date" not in svg


def test_every_diagram_is_in_the_folder_of_pictures():
    public = inspect.getmembers(diagrams, inspect.isfunction)
    assert diagrams.__all__ == [name for name, _ in public] == sorted({name.split(",")[0] for name in EVERY})
    for name in diagrams.__all__:
        assert (ROOT / "images" / f"{name}.svg").exists()
        assert (ROOT / "images" / f"{name}.png").stat().st_size < 150_000
