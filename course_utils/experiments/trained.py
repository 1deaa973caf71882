"""The weights that come with the course, and what others published for Vision Transformers on CIFAR-10."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from course_utils.analysis.snapshots import RESULTS_FOLDER
from course_utils.experiments.markdown import markdown_table
from course_utils.experiments.results import read_result
from course_utils.support.settings import look_up
from course_utils.zoo.weights import load_pretrained, pretrained_names, read_record

PATCH_SIZE_RECORD = RESULTS_FOLDER / "weights_by_patch_size.json"
MOVED_RECORD = RESULTS_FOLDER / "moved_pictures.json"


@dataclass(frozen=True)
class Published:
    """One published result. All are plain ViTs that saw no other data, but for those whose model says otherwise.

    Attributes:
        where: Repository or paper.
        model: In short: D width, L blocks, h heads, P patch size.
        training: In short.
        accuracy: On the test set, in percent, as the source states it.
    """

    where: str
    model: str
    parameters: float
    training: str
    accuracy: str


PUBLISHED = (
    Published(
        "vickiiimu/vit-cifar10-tutorial",
        "D192 L6 h3 P4",
        2.69,
        "30 epochs, Adam 3e-4, no augmentation",
        "59.9 (last epoch), 61.9 (best)",
    ),
    Published("tintn/vision-transformer-from-scratch", "D48 L4 h4 P4", 0.12, "100 epochs, AdamW 1e-2", "75.5"),
    Published("UvA deep learning tutorial 15", "D256 L6 P4", 3.2, "180 epochs, light augmentation", "75.6"),
    Published(
        "kentaroy47/vision-transformers-cifar10",
        "D512 L6 P4",
        9.5,
        "200, 500, 1,000 epochs, strong augmentation",
        "80, 85, 89",
    ),
    Published("omihub777/ViT-CIFAR", "D384 L7", 6.3, "200 epochs, AutoAugment; 2 h 14 min on a V100", "90.92"),
    Published("Compact Transformers, ViT-Lite-7/4", "D256 L7 h4 P4", 3.7, "200 epochs, AutoAugment", "91.38"),
    Published(
        "aanna0701/SPT_LSA_ViT, row ViT", "D192 L9 h12 P4", 2.70, "300 epochs, AutoAugment, CutMix, MixUp", "93.58"
    ),
    Published("Compact Transformers, CCT-7/3x1", "convolutions before the blocks", 3.76, "300 epochs", "96.5"),
)


def trained_table() -> list[str]:
    """Return a Markdown table: the weights that come with the course, and below them what others published.

    Ours are the last weights of one run each, tested once; behind ± stands the standard error of the test images.
    """
    ours = []
    for name, record in _records():
        found, device = record["test"]["last_weights"], record["environment"]["device"]
        parameters = sum(parameter.numel() for parameter in load_pretrained(name).parameters())
        training = f"{record['epochs'][-1]['epoch']:.0f} epochs in {record['seconds'] / 60:.0f} min on {device}"
        accuracy = f"{100 * found['accuracy']:.2f} ± {100 * found['accuracy_standard_error']:.2f}"
        model = _in_short(record["config"])
        ours.append([f"**this course, `{name}`**", model, f"{parameters / 1e6:.2f}", training, accuracy])
    theirs = [[each.where, each.model, f"{each.parameters:.2f}", each.training, each.accuracy] for each in PUBLISHED]
    return markdown_table(("where", "model", "million parameters", "training", "test accuracy in %"), [*ours, *theirs])


def trained_section() -> list[str]:
    """Write the table, and how ours were made."""
    commands = [
        f"- `{name}`: `{record['command']}`; seed {record['seed']}, {record['data']['images']:,} training images "
        f"({record['data']['source']} CIFAR-10), torch {record['environment']['torch']}, course at commit "
        f"{record['environment']['commit'][:10]}"
        for name, record in _records()
    ]
    return [
        "## Trained weights, and what others published",
        "",
        *trained_table(),
        "",
        "Ours: the last weights of one run each, tested once, ± the standard error of 10,000 images; no epoch was",
        "chosen on the test set. Theirs: as the sources state them, some of them the best of all epochs on that set.",
        "",
        *commands,
        "",
    ]


def moved_pictures(name: str) -> dict[str, dict[int, dict[str, float]]]:
    """Return what weights that ship reach on the whole test set when its pictures are moved, or scrambled.

    Returns:
        "shift": for each distance, and "scramble": for each side of the pieces, in pixels, the "accuracy", its
        "standard_error", and how often the answer stays the "same". See ``course_utils.analysis.invariance``.

    Raises:
        FileNotFoundError: Nothing is recorded.
        ValueError: These weights are not in the record. ``tools/measure_moved.py`` adds them.
    """
    found = look_up("weights", name, read_result(MOVED_RECORD))
    return {test: {int(key): row for key, row in found[test].items()} for test in ("shift", "scramble")}


def _in_short(config: dict[str, Any]) -> str:
    """Say the size of a model in a few letters."""
    if "embed_dim" in config:
        return f"D{config['embed_dim']} L{config['depth']} h{config['num_heads']} P{config['patch_size']}"
    return f"CNN, {config['stages'] * config['blocks']} residual blocks, {config['width']} channels at first"


def accuracy_by_patch_size(name: str) -> dict[int, float]:
    """Return what weights that ship reach on the whole test set with patches of other sizes: P in pixels -> accuracy.

    A plain model was resized for it, not trained anew. ``tools/measure_patch_sizes.py`` writes the record.

    Raises:
        FileNotFoundError: Nothing is recorded.
        ValueError: These weights are not in the record.
    """
    recorded = read_result(PATCH_SIZE_RECORD)["accuracy"]
    return {int(patch_size): share for patch_size, share in look_up("weights", name, recorded).items()}


def _records() -> list[tuple[str, dict[str, Any]]]:
    """Return name and record of all weights that come with the course."""
    return [(name, read_record(name)) for name in pretrained_names()]
