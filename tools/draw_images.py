"""Draw the pictures in images/: every diagram of the course as SVG and PNG, and the badge "Open in Colab".

    python tools/draw_images.py            # writes them
    python tools/draw_images.py --check    # writes nothing; fails if an SVG is not what would be written

The same matplotlib draws the same bytes again: there is no date in them, and text is drawn as paths. Another version
of matplotlib may draw slightly different bytes.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from course_utils import plots
from course_utils.data import load_cifar10
from course_utils.model.config import ViTConfig
from course_utils.plots.drawing import Box, Page
from course_utils.plots.style import SKY, styled
from course_utils.report import attention_figure
from course_utils.zoo.weights import load_pretrained

FOLDER = Path(__file__).parent.parent / "images"
PICTURE = 17  # of the test images of the sample: a deer
BADGE = "open-in-colab"


def figures() -> Iterator[tuple[str, Figure]]:
    """Make every picture: its name and the figure."""
    config = ViTConfig.preset("cifar_micro")
    draw = plots.diagrams
    yield "pipeline", draw.pipeline(config, load_cifar10("test", sample="always").images[PICTURE])
    yield "course_map", draw.course_map()
    yield "timeline", draw.timeline()
    yield "convolution_and_attention", draw.convolution_and_attention()
    yield "patch_order", draw.patch_order()
    yield "embedding_sum", draw.embedding_sum(config)
    yield "attention_head", draw.attention_head()
    yield "multi_head", draw.multi_head()
    yield "transformer_block", draw.transformer_block()
    yield "rollout_steps", draw.rollout_steps()
    yield "shifted_windows", draw.shifted_windows()
    yield "data_splits", draw.data_splits(45_000, 5_000, 10_000)
    yield "attention", attention()
    yield BADGE, badge()


def attention() -> Figure:
    """Draw where the shipped model looks, on the first car, horse and ship among the test images of the sample."""
    test_set = load_cifar10("test", sample="always")
    labels = [test_set.classes.index(name) for name in ("automobile", "horse", "ship")]
    chosen = [int((test_set.labels == label).nonzero()[0]) for label in labels]
    names = [f"true: {test_set.classes[label]}" for label in labels]
    model = load_pretrained("cifar_small")
    return attention_figure(model, test_set.images[chosen], names)


@styled
def badge() -> Figure:
    """Draw the badge: 120 by 24 pixels of a web page, white words beside a small square of patches."""
    page = Page((1.25, 0.25), "", "Open in Colab")
    page.box(Box(0.625, 0.125, 1.25, 0.25), facecolor="#3A3A3A", linewidth=0)
    for row in range(2):
        for column in range(2):
            patch = Box(0.105 + 0.07 * column, 0.09 + 0.07 * row, 0.055, 0.055)
            page.box(patch, rounded=False, facecolor=SKY if row == column else "white", linewidth=0)
    page.text(0.71, 0.12, "Open in Colab", fontsize=8.5, color="white")
    return page.figure


def saved(name: str, figure: Figure, kind: str) -> bytes:
    """Return the bytes of a picture file."""
    buffer = io.BytesIO()
    if kind == "png":
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
        return buffer.getvalue()
    metadata = {"Title": figure.get_label(), "Date": None, "Creator": None}
    background = "none" if name == BADGE else "white"
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=metadata, facecolor=background)
    lines = buffer.getvalue().decode().splitlines()
    return ("\n".join(line.rstrip() for line in lines) + "\n").encode()  # matplotlib leaves spaces at line ends


def main() -> int:
    """Write the pictures, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if an SVG is not up to date")
    check = parser.parse_args().check
    stale = []
    for name, figure in figures():
        for kind in ("svg",) if check or name == BADGE else ("svg", "png"):
            path, data = FOLDER / f"{name}.{kind}", saved(name, figure, kind)
            if not check:
                path.write_bytes(data)
                print(f"{path.name}: {len(data) / 1000:.0f} kB")
            elif not path.exists() or path.read_bytes() != data:
                stale.append(path.name)
    if stale:
        print(f"Not what matplotlib {mpl.__version__} draws: {', '.join(stale)}. Run python tools/draw_images.py.")
    return len(stale) > 0


if __name__ == "__main__":
    sys.exit(main())
