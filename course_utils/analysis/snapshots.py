"""Lesson 07 (attention_maps): what a model looked like after every pass of its training, kept in one small file.

A training record holds numbers. The snapshots hold what can be pictured: position codes, attention, predictions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.analysis.attention_maps import attention_entropy, class_token_grid, collect, mean_attention_distance
from course_utils.analysis.evaluation import confusion_matrix, predict
from course_utils.data import ImageSet
from course_utils.data.normalisation import normalisation_of
from course_utils.model.embeddings import RelativePositionBias
from course_utils.model.vit import VisionTransformer
from course_utils.support.files import ASSETS, load_tensors, save_tensors

PICTURES_PER_CLASS = 2
RESULTS_FOLDER = ASSETS / "results"


class Snapshots:
    """Watch a model while it trains: give it to ``Trainer.fit(on_report=...)``.

    One snapshot is taken at once, of the untrained model, and one after every pass. T snapshots of a model with N
    tokens, L layers and h heads, of V validation images in K classes and P pictures, are these tensors:

    ==================  ======================  =====================================================================
    epochs              (T,)                    passes over the training images so far
    pictures, labels    (P, 3, H, W), (P,)      two validation images of each class, the first ones; uint8, int64
    logits              (T, P, K)               what the model says about them
    class_maps          (T, P, L, rows, cols)   weights from the class token to the patches, mean over the heads
    attention_distance  (T, L, h)               in pixels, over the pictures; see ``mean_attention_distance``
    attention_entropy   (T, L, h)               in nats, over the pictures; see ``attention_entropy``
    positions           (T, N, D)               position codes, if they are learned
    relative_bias       (T, L, h, R, C)         if positions are relative: of R x C offsets, R = 2 rows - 1, C likewise
    confusion           (T, K, K)               of all validation images: row = true class, column = predicted class
    ==================  ======================  =====================================================================

    Args:
        model: The model that is being trained.
        validation_set: Never the test set.
        path: The file; it is written anew after every pass. If it is there, the run is taken to go on from it.
    """

    def __init__(self, model: VisionTransformer, validation_set: ImageSet, path: str | Path) -> None:
        self.model, self.validation_set, self.path = model, validation_set, Path(path)
        labels = validation_set.labels
        each_class = [(labels == label).nonzero()[:PICTURES_PER_CLASS, 0] for label in labels.unique()]
        self.pictures = validation_set.subset(torch.cat(each_class).tolist())
        self._taken: list[dict[str, Tensor]] = []
        if self.path.exists():
            tensors, _ = load_snapshots(self.path)
            fixed = ("pictures", "labels")
            changing = {name: values.unbind() for name, values in tensors.items() if name not in fixed}
            self._taken = [dict(zip(changing, row, strict=True)) for row in zip(*changing.values(), strict=True)]
        else:
            self._taken.append(self._look(0.0))

    def __call__(self, record: dict[str, Any]) -> None:
        """Take a snapshot and write the file. Snapshots that a resumed run makes again take the old ones' place."""
        epoch = record["epochs"][-1]["epoch"]
        self._taken = [each for each in self._taken if each["epochs"] < epoch - 1e-6]
        self._taken.append(self._look(epoch))
        tensors = {name: torch.stack([each[name] for each in self._taken]) for name in self._taken[0]}
        tensors |= {"pictures": self.pictures.images, "labels": self.pictures.labels}
        save_tensors(self.path, tensors, {"record": record})

    @torch.no_grad()
    def _look(self, epoch: float) -> dict[str, Tensor]:
        """Everything that one snapshot holds; numbers that are only looked at as float16."""
        config = self.model.config
        weights = collect(self.model, normalisation_of(self.model)(self.pictures.images))  # (P, L, h, N, N)
        fused = weights.mean(dim=2)  # (P, L, h, N, N) -> (P, L, N, N)
        prefix = config.num_prefix_tokens
        logits = predict(self.model, self.validation_set.images)  # (V, K)
        seen = {
            "epochs": torch.tensor(epoch),
            "logits": predict(self.model, self.pictures.images),
            "class_maps": class_token_grid(fused, config.grid, prefix, config.has_class_token).half(),
            "attention_distance": mean_attention_distance(weights, config.grid, config.patch_size, prefix),
            "attention_entropy": attention_entropy(weights),
            "confusion": confusion_matrix(logits, self.validation_set.labels),
        }
        codes = self.model.embeddings.position_code
        if isinstance(codes, nn.Parameter):  # others never change
            seen["positions"] = codes.detach()[0].half().cpu()  # (1, N, D) -> (N, D)
        biases = [module for module in self.model.modules() if isinstance(module, RelativePositionBias)]
        if biases:
            seen["relative_bias"] = torch.stack([each.offset_table().half().cpu() for each in biases])
        return seen


def load_snapshots(source: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Load what :class:`Snapshots` wrote: the tensors, and the record of the run.

    Args:
        source: A file, or the name of shipped weights, for the snapshots of the run that made them ("cifar_micro").

    Raises:
        FileNotFoundError: There is no such file.
        DamagedFileError: The file is damaged.
    """
    shipped = RESULTS_FOLDER / f"{source}_snapshots.safetensors"
    tensors, metadata = load_tensors(shipped if shipped.exists() else source)
    return tensors, metadata["record"]
