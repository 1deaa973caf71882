"""Lesson 02 (embeddings): how alike two positions are, in each kind of position code, before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils.analysis.attention_maps import position_similarity
from course_utils.analysis.snapshots import load_snapshots
from course_utils.explore.explorer import Choice, Explorer, palette_bytes
from course_utils.explore.position_picture import PALETTE, position_picture
from course_utils.model.config import POSITIONS, ViTConfig
from course_utils.model.embeddings import POSITION_CODES, RelativePositionBias

NOTHING_TO_SHOW = "It is learned, and this explorer has no numbers of a training."  # of a code without words
STEPS = 32767  # an int16 holds so many on either side of 0


class Kind(NamedTuple):
    """What is said of a kind of position code."""

    label: str
    measure: str  # what the numbers are
    note: str


KINDS = {  # of a code that is not here, the explorer says the little that it can see
    "none": Kind(
        "none",
        "nothing to compare",
        "No position code: all positions are alike to the model. There is nothing to compare either: no code is as "
        "good as a code of zeros, and a vector of zeros has no direction, so it has no cosine with another.",
    ),
    "learned": Kind(
        "learned",
        "cosine similarity",
        "Each position has its own learned code; they are numbered 0, 1, 2, … and nothing tells the model which ones "
        "are neighbours. The class token has no place in the image and is left out.",
    ),
    "sincos2d": Kind(
        "sines and cosines",
        "cosine similarity",
        "Computed, never trained. The offset of the two positions alone decides.",
    ),
    "rotary": Kind(
        "rotary",
        "score, as a share of the score without an offset",
        "Computed, never trained, and not added to a token: queries and keys turn. Shown is the score of a query and "
        "a key of equal content, with all pairs of numbers equally long. The offset alone decides.",
    ),
    "relative": Kind(
        "relative",
        "number added to the score, mean of heads and layers",
        "One learned number for each offset, added to the score of the picked position as query and the other as key. "
        "Before training they mean nothing, and are shown as 0; a model starts with random numbers close to 0.",
    ),
}


def relative_tables(bias: Tensor, grid: tuple[int, int]) -> Tensor:
    """Lay relative position biases out: what is added to the score of every position with every other.

    Args:
        bias: (T, L, h, 2 rows - 1, 2 columns - 1), by offset, as the tables of ``RelativePositionBias`` hold them
            after the entries for prefix tokens.
        grid: Rows and columns of the patch grid.

    Returns:
        (T, patches, patches), the mean over layers and heads: row = query, column = key.

    Raises:
        ValueError: The bias has another shape.
    """
    offsets = (2 * grid[0] - 1, 2 * grid[1] - 1)
    if bias.ndim != 5 or bias.shape[3:] != offsets:
        raise ValueError(
            f"Relative biases for a grid of {grid[0]}x{grid[1]} must be (T, L, h, {offsets[0]}, {offsets[1]}), "
            f"not {tuple(bias.shape)}."
        )
    index = RelativePositionBias(grid, num_heads=1).index  # (patches, patches), into the offsets in raster order
    return bias.detach().float().mean(dim=(1, 2)).flatten(1)[:, index]  # -> (T, offsets) -> (T, patches, patches)


def computed_tables(config: ViTConfig) -> Tensor:
    """Compare every position with every other by the code of a config, if that is computed and not learned.

    Returns:
        (1, patches, patches), cosine similarities; (0, patches, patches) if there is nothing to compare.
    """
    code, prefix = POSITION_CODES[config.position], config.num_prefix_tokens
    added, turn = code.added(config), code.turn(config)
    if added is not None and not isinstance(added, nn.Parameter):
        return position_similarity(added, prefix)[None]
    if turn is not None:
        # Turned, equal contents are codes too. A turn keeps lengths, so the score over that in place is the cosine.
        same = torch.ones(1, 1, config.num_tokens, config.head_dim)
        return position_similarity(turn(same)[0, 0], prefix)[None]  # (N, d) -> (1, patches, patches)
    return torch.empty(0, config.num_patches, config.num_patches)


def position_tables(config: ViTConfig, positions: Tensor, relative: Tensor | None = None) -> dict[str, Tensor]:
    """Compare every position with every other, in each kind of position code.

    Args:
        config: Of the model: it gives grid, prefix tokens, width and width of a head.
        positions: (T, N, D), learned codes at T moments of a training.
        relative: (T, L, h, 2 rows - 1, 2 columns - 1), learned biases at the same moments, of another training. None
            means 0 everywhere, in place of the small random numbers that an untrained model holds.

    Returns:
        Kind -> (moments, patches, patches). There are T moments where something is learned, one where the code is
        computed, and none for "none". Learned and sine-cosine codes: cosine similarity. Rotary: the score that two
        equal contents get, over the score that they get in the same place. Relative: see :func:`relative_tables`. A
        kind that this config cannot have is left out.

    Raises:
        ValueError: Codes or biases do not fit the config.
    """
    if positions.ndim != 3 or positions.shape[1:] != (config.num_tokens, config.embed_dim) or not len(positions):
        raise ValueError(
            f"Position codes must be (T, {config.num_tokens}, {config.embed_dim}), not {tuple(positions.shape)}."
        )
    if relative is None:
        biases = torch.zeros(1, config.num_patches, config.num_patches)
    else:
        biases = relative_tables(relative, config.grid)
        if len(biases) != len(positions):
            raise ValueError(f"There are relative biases of {len(biases)} moments, but codes of {len(positions)}.")
    learned = torch.stack([position_similarity(codes, config.num_prefix_tokens) for codes in positions])
    tables = {"learned": learned, "relative": biases}
    for kind in POSITIONS:
        try:
            own = config.replace(position=kind)
        except ValueError:
            continue  # the width does not suit it
        tables.setdefault(kind, computed_tables(own))
    return {kind: tables[kind] for kind in POSITIONS if kind in tables}


def in_words(passes: float) -> str:
    """Say when this was: 0 -> "before training", 1.002 -> "after 1 pass"."""
    return (
        f"after {passes:.1f} passes".replace(".0 ", " ").replace(" 1 passes", " 1 pass")
        if passes
        else "before training"
    )


def table_bytes(tables: Tensor, limit: float) -> bytes:
    """Write values from -limit to limit as little-endian int16: -32767 to 32767."""
    return (tables / limit).clamp(-1, 1).mul(STEPS).round().numpy().astype("<i2").tobytes()


class PositionExplorer(Explorer):
    """Pick a position and see how alike all others are to it.

    Args:
        config: Of the model that the codes belong to.
        positions: (T, N, D), its learned codes at T moments of a training, those of prefix tokens first.
        epochs: (T,), passes over the training images at these moments; 0 means untrained.
        relative: (T, L, h, 2 rows - 1, 2 columns - 1), the biases of a model with relative positions at the same
            moments. Without them, the explorer shows 0 everywhere: nothing has been learned.

    Raises:
        ValueError: The parts do not fit each other.

    Source: the panels are those of ViT, arXiv 2010.11929, figure 7, centre.
    """

    summary = (
        "An explorer of position codes: pick a position on the patch grid, and all others are coloured by how alike "
        "they are, for each kind of position code, before, during and after training."
    )

    palette = traitlets.Bytes(palette_bytes(PALETTE)).tag(sync=True)
    grid = traitlets.Tuple(traitlets.Int(), traitlets.Int()).tag(sync=True)  # rows, columns
    kinds = traitlets.Dict().tag(sync=True)  # kind -> its words, moments in words, first table, limit of the scale
    tables = traitlets.Bytes().tag(sync=True)  # (all moments, patches, patches), int16: shares of the limit
    steps = traitlets.Int(STEPS, read_only=True).tag(sync=True)
    kind = Choice(lambda explorer: list(explorer.kinds), "learned")
    position = Choice(lambda explorer: range(explorer.grid[0] * explorer.grid[1]))  # patch in raster order
    # Moment: an index into the snapshots, not a number of passes.
    epoch = Choice(lambda explorer: range(len(explorer.kinds["learned"]["moments"])))

    def __init__(
        self,
        config: ViTConfig,
        positions: Tensor,
        epochs: Sequence[float] | Tensor,
        relative: Tensor | None = None,
        **traits: Any,
    ) -> None:
        self.similarities = position_tables(config, positions, relative)
        if len(epochs) != len(positions):
            raise ValueError(f"There are {len(epochs)} epochs for position codes of {len(positions)} moments.")
        trained = [in_words(float(passes)) for passes in epochs]
        moments = {"learned": trained, "relative": [in_words(0)] if relative is None else trained}
        kinds, first = {}, 0
        for name, tables in self.similarities.items():
            words = KINDS.get(name) or Kind(name, "cosine similarity", "" if len(tables) else NOTHING_TO_SHOW)
            limit = (tables.abs().max().item() or 1.0) if name == "relative" else 1.0
            when = moments.get(name, ["without training"] * len(tables))
            kinds[name] = {**words._asdict(), "moments": when, "first": first, "limit": limit}
            first += len(tables)
        if relative is None:
            kinds["relative"]["note"] += " No trained numbers were given to this explorer."
        content = [table_bytes(tables, kinds[name]["limit"]) for name, tables in self.similarities.items()]
        rows, columns = config.grid
        start = {"epoch": len(trained) - 1, "position": rows // 2 * columns + columns // 4}
        super().__init__(grid=config.grid, kinds=kinds, tables=b"".join(content), **{**start, **traits})

    @classmethod
    def example(cls) -> PositionExplorer:
        """See :meth:`Explorer.example`."""
        return cls.from_snapshots("cifar_micro")

    @classmethod
    def from_snapshots(cls, source: str | Path, relative: Tensor | None = None, **traits: Any) -> PositionExplorer:
        """Take the learned codes of a recorded training.

        Args:
            source: As for :func:`course_utils.analysis.snapshots.load_snapshots`.
            relative: See the class.
            traits: What is shown first: kind, position, epoch.

        Raises:
            ValueError: The model of this training had no learned codes.
        """
        snapshots, record = load_snapshots(source)
        config = ViTConfig.from_dict(record["config"])
        if "positions" not in snapshots:
            raise ValueError(f"The model of {source} has position {config.position!r}: it has no learned codes.")
        return cls(config, snapshots["positions"], snapshots["epochs"], relative, **traits)

    def similarity(self) -> Tensor:
        """Return what the picked position gets with all, at the chosen moment: (rows, columns).

        Raises:
            ValueError: Without a position code there is nothing to compare.
        """
        tables = self.similarities[self.kind]
        if not len(tables):
            raise ValueError(self.kinds[self.kind]["note"])
        return tables[min(self.epoch, len(tables) - 1), self.position].reshape(self.grid)

    def picture(self) -> Figure:
        """Draw what the explorer shows now."""
        words = self.kinds[self.kind]
        moments = list(zip(words["moments"], self.similarities[self.kind], strict=True))
        chosen = (0, self.epoch) if len(moments) > 1 else range(len(moments))
        return position_picture(
            dict(moments[each] for each in chosen),
            self.grid,
            self.position,
            title=f"Position code: {words['label']}",
            measure=words["measure"],
            limit=words["limit"],
            note=words["note"],
        )
