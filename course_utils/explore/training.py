"""Lesson 06 (training): a recorded training run, turned back and forth from epoch to epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.analysis.snapshots import load_snapshots
from course_utils.explore.explorer import Choice, Explorer, image_bytes
from course_utils.explore.training_picture import training_picture
from course_utils.model.config import ViTConfig

CURVES = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")
SAME_EPOCH = 1e-3  # snapshots keep their epoch in float32, the record in float64


def curves_of(record: dict[str, Any], epochs: Tensor, confusion: Tensor) -> Tensor:
    """Return loss and accuracy at each snapshot.

    The validation accuracy is that of the snapshot itself, from its confusion matrix, so the untrained model has one
    too. The rest is read from the record, which begins with the first pass: before it there is nothing to read.

    Args:
        record: Of the run; its "epochs" have any of the keys CURVES.
        epochs: (T,), passes over the training images at each snapshot.
        confusion: (T, K, K), counts.

    Returns:
        (4, T), float32, in the order of CURVES: losses in nats, accuracies from 0 to 1, NaN where nothing was recorded.
    """
    curves = torch.full((len(CURVES), len(epochs)), torch.nan)
    for t, epoch in enumerate(epochs.tolist()):
        for entry in record["epochs"]:
            if abs(entry["epoch"] - epoch) < SAME_EPOCH:
                values = [entry.get(name) for name in CURVES]
                curves[:, t] = torch.tensor([torch.nan if value is None else value for value in values])
    right = confusion.diagonal(dim1=1, dim2=2).sum(dim=1)  # (T, K, K) -> (T,)
    curves[CURVES.index("validation_accuracy")] = right / confusion.sum(dim=(1, 2))
    return curves


def name_epochs(epochs: Tensor) -> list[str]:
    """Write each epoch (T,) as short as it goes: "7", or "2.3" where a run ended within a pass."""
    return [f"{epoch:.1f}".removesuffix(".0") for epoch in epochs.tolist()]


def name_pictures(labels: Sequence[int], classes: Sequence[str]) -> list[str]:
    """Name each picture by its true class and a number: "cat 1", "cat 2"."""
    names = [classes[label] for label in labels]
    return [f"{name} {names[: place + 1].count(name)}" for place, name in enumerate(names)]


def describe(
    epoch_names: Sequence[str],
    accuracy: Tensor,
    images: int,
    says: Tensor,
    labels: Tensor,
    picture_names: Sequence[str],
) -> list[str]:
    """Say in words what there is to see at each snapshot.

    Args:
        epoch_names: T of them; "0" is the untrained model.
        accuracy: (T,), from 0 to 1, over the validation images.
        images: How many validation images there are.
        says: (T, P), the class that the model says for each picture.
        labels: (P,), the true classes.
        picture_names: P of them.

    Returns:
        T texts: accuracy, how many pictures are right, and whose answer is another than one snapshot earlier.
    """
    right = says == labels  # (T, P)
    texts = []
    for t, name in enumerate(epoch_names):
        when = "Untrained" if name == "0" else f"After epoch {name} of {epoch_names[-1]}"
        text = f"{when}: {accuracy[t]:.1%} of {images:,} validation images are right"
        text += f", and {int(right[t].sum())} of the {len(labels)} pictures below."
        if t > 0:
            changed = says[t] != says[t - 1]  # (P,)
            news = []
            for group, members in (("now right", changed & right[t]), ("no longer right", changed & right[t - 1])):
                listed = [picture_names[p] for p in members.nonzero()[:, 0]]
                if listed:
                    news.append(f"{group}: {', '.join(listed)}")
            other = int((changed & ~right[t] & ~right[t - 1]).sum())
            if other:
                news.append(f"another wrong answer: {other} picture{'s' * (other > 1)}")
            before = "the untrained model" if epoch_names[t - 1] == "0" else f"epoch {epoch_names[t - 1]}"
            text += f" Since {before}, {'; '.join(news) or 'no answer changed'}."
        texts.append(text)
    return texts


class TrainingExplorer(Explorer):
    """Show what a model said after every epoch of its training.

    Args:
        snapshots: The tensors of a run, see :class:`course_utils.analysis.snapshots.Snapshots`.
        record: The record of the same run.

    Attributes:
        says: (T, P), the class that the model says for each picture after each epoch.
        right: (T, P), whether this is the true class.

    Raises:
        traitlets.TraitError: ``epoch``, ``image`` or ``layer`` is set to a number that does not exist.
    """

    summary = (
        "Training explorer: choose an epoch of a recorded training run, and see loss and accuracy, the confusion "
        "matrix, and what the model says about a few validation images."
    )

    epoch = Choice(lambda explorer: range(len(explorer.epochs)))  # which of the T snapshots, 0 is untrained
    image = Choice(lambda explorer: range(len(explorer.labels)))  # which of the P pictures is looked at closely
    layer = Choice(lambda explorer: range(explorer.layers))  # whose map is laid over it

    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)  # K names
    epochs = traitlets.List(traitlets.Float()).tag(sync=True)  # T, in passes over the training images
    epoch_names = traitlets.List(traitlets.Unicode()).tag(sync=True)  # T
    words = traitlets.List(traitlets.Unicode()).tag(sync=True)  # T texts, see describe
    curves = traitlets.Bytes().tag(sync=True)  # (4, T), float32, see curves_of
    confusion = traitlets.Bytes().tag(sync=True)  # (T, K, K), uint32: row = true class, column = predicted class
    pictures = traitlets.Bytes().tag(sync=True)  # (P, H, W, 3)
    picture_size = traitlets.Tuple(traitlets.Int(), traitlets.Int()).tag(sync=True)  # H, W
    picture_names = traitlets.List(traitlets.Unicode()).tag(sync=True)  # P
    labels = traitlets.List(traitlets.Int()).tag(sync=True)  # P
    probabilities = traitlets.Bytes().tag(sync=True)  # (T, P, K), float32
    maps = traitlets.Bytes().tag(sync=True)  # (T, P, L, rows, columns), uint16 shares of 65535
    layers = traitlets.Int().tag(sync=True)  # L
    grid = traitlets.Tuple(traitlets.Int(), traitlets.Int()).tag(sync=True)  # rows, columns
    tokens = traitlets.Int().tag(sync=True)  # N: if all weights were the same, each would be 1/N
    asker = traitlets.Unicode().tag(sync=True)  # whose attention the maps show

    def __init__(self, snapshots: dict[str, Tensor], record: dict[str, Any]) -> None:
        self.snapshots, self.record = snapshots, record
        config = ViTConfig.from_dict(record["config"])
        labels = snapshots["labels"]
        self.says = snapshots["logits"].argmax(dim=2)  # (T, P, K) -> (T, P)
        self.right = self.says == labels  # (T, P)
        self._curves = curves_of(record, snapshots["epochs"], snapshots["confusion"])  # (4, T)
        classes = list(record["data"]["classes"])
        epoch_names = name_epochs(snapshots["epochs"])
        picture_names = name_pictures(labels.tolist(), classes)
        maps = snapshots["class_maps"].float()  # (T, P, L, rows, columns)
        super().__init__(
            classes=classes,
            epochs=snapshots["epochs"].tolist(),
            epoch_names=epoch_names,
            words=describe(
                epoch_names,
                self._curves[CURVES.index("validation_accuracy")],
                int(snapshots["confusion"][0].sum()),
                self.says,
                labels,
                picture_names,
            ),
            curves=self._curves.numpy().astype("<f4").tobytes(),
            confusion=snapshots["confusion"].numpy().astype("<u4").tobytes(),
            pictures=image_bytes(snapshots["pictures"]),
            picture_size=tuple(snapshots["pictures"].shape[-2:]),
            picture_names=picture_names,
            labels=labels.tolist(),
            probabilities=snapshots["logits"].softmax(dim=2).numpy().astype("<f4").tobytes(),
            maps=(maps * 65535).round().numpy().astype("<u2").tobytes(),
            layers=maps.shape[2],
            grid=config.grid,
            tokens=config.num_tokens,
            asker="the class token" if config.has_class_token else "the patches (mean)",
            epoch=len(epoch_names) - 1,
            layer=maps.shape[2] - 1,
        )

    @classmethod
    def example(cls) -> TrainingExplorer:
        """See :meth:`Explorer.example`."""
        return cls.from_snapshots("cifar_micro")

    @classmethod
    def from_snapshots(cls, source: str | Path) -> TrainingExplorer:
        """Make one from a file of snapshots, or from those of shipped weights ("cifar_micro").

        Raises:
            FileNotFoundError: There is no such file.
        """
        return cls(*load_snapshots(source))

    def picture(self) -> Figure:
        """Draw the chosen epoch: curves, pictures with answers, confusion matrix, and the shares of one picture."""
        t, p = self.epoch, self.image
        shares = self.snapshots["logits"][t].softmax(dim=1)  # (P, K)
        five = shares[p].argsort(descending=True, stable=True)[:5].tolist()
        values = [[None if value != value else value for value in row] for row in self._curves.tolist()]
        captions = [
            f"{name}\n{'✓' if right else '✗'} {self.classes[says]}\n{row.max():.0%}"
            for name, right, says, row in zip(self.picture_names, self.right[t], self.says[t], shares, strict=True)
        ]
        return training_picture(
            self.words[t],
            [dict(zip(("epoch", *CURVES), row, strict=True)) for row in zip(self.epochs, *values, strict=True)],
            self.epochs[t],
            self.snapshots["pictures"],
            captions,
            self.snapshots["confusion"][t],
            self.classes,
            self.picture_names[p],
            {self.classes[k]: 100 * float(shares[p, k]) for k in five},
        )
