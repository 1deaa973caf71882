"""What can be looked at in a model of an experiment, by name: small functions over the package's own.

Each maps a :class:`Subject` to what JSON can hold. None of them sees the test set.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.analysis import attention_maps, invariance
from course_utils.analysis.evaluation import accuracy, predict
from course_utils.analysis.probes import features_of, knn, linear_probe
from course_utils.data import ImageSet, normalisation_of
from course_utils.experiments.timing import work_of
from course_utils.model.embeddings import grid_coordinates
from course_utils.model.vit import VisionTransformer

PICTURES = 200  # validation images that maps are taken of
FEW_LABELS = (10, 30, 100, 300)  # a class
NEIGHBOURS = 20


@dataclass(frozen=True)
class Subject:
    """What a measurement is given.

    Attributes:
        model: As it is at this moment.
        validation_set: Images that it was not trained on.
        batch_size: Of its training.
        precision: Of its training, "fp32" or "bf16".
        train_set: Images that it was trained on; None where a measurement does not ask for them.
    """

    model: nn.Module
    validation_set: ImageSet
    batch_size: int
    precision: str
    train_set: ImageSet | None = None

    @property
    def vit(self) -> VisionTransformer:
        """The model, if it is a Vision Transformer.

        Raises:
            ValueError: It is another kind of model.
        """
        if not isinstance(self.model, VisionTransformer):
            raise ValueError(f"A {type(self.model).__name__} has no attention and no position codes to look at.")
        return self.model

    def pixels(self, count: int) -> Tensor:
        """Return the first validation images, (count, C, H, W), normalised, on the model's device."""
        images = self.validation_set.images[:count].to(next(self.model.parameters()).device)
        return normalisation_of(self.model)(images)


def attention_distance(subject: Subject) -> list[list[float]]:
    """How far each head looks, in pixels: (L, h). See ``attention_maps.mean_attention_distance``."""
    config = subject.vit.config
    weights = attention_maps.collect(subject.vit, subject.pixels(PICTURES))  # (B, L, h, N, N)
    return attention_maps.mean_attention_distance(
        weights, config.grid, config.patch_size, config.num_prefix_tokens
    ).tolist()


def attention_entropy(subject: Subject) -> list[list[float]]:
    """How spread out each head's attention is, in nats: (L, h). See ``attention_maps.attention_entropy``."""
    return attention_maps.attention_entropy(attention_maps.collect(subject.vit, subject.pixels(PICTURES))).tolist()


def position_similarity(subject: Subject) -> list[float]:
    """How alike the learned codes of two patches are that lie d patches apart in one row or column, d = 1, 2, ...

    Returns:
        The mean cosine similarity for each d, up to the longer side of the grid.

    Raises:
        ValueError: The position codes are not learned.
    """
    config, codes = subject.vit.config, subject.vit.embeddings.position_code
    if not isinstance(codes, nn.Parameter):
        raise ValueError(f"Position codes {config.position!r} are not learned: their similarity never changes.")
    similarity = attention_maps.position_similarity(codes.cpu(), config.num_prefix_tokens)  # (patches, patches)
    places = grid_coordinates(config.grid)
    offset = (places[:, None] - places[None, :]).abs()  # (patches, patches, 2)
    in_line, steps = offset.amin(dim=-1) == 0, offset.amax(dim=-1)
    return [similarity[in_line & (steps == d)].mean().item() for d in range(1, max(config.grid))]


def deletion_test(subject: Subject) -> dict[str, Any]:
    """Take the patches away that a map calls important, and see how fast the prediction goes.

    Returns:
        "fractions" of patches taken away; and for "last layer", "rollout", "gradient-weighted", "middle first" (a map
        that looks at no model) and "random order": the mean probability at each fraction ("curve"), the "area" under
        it and its "standard_error" over the images.

    See ``attention_maps.deletion_curve``.
    """
    model, images = subject.vit, subject.pixels(PICTURES)
    config = model.config

    def on_grid(weights: Tensor) -> Tensor:
        """Take the read-out's map (B, rows, columns) from weights (B, N, N)."""
        class_token = config.has_class_token
        return attention_maps.class_token_grid(weights, config.grid, config.num_prefix_tokens, class_token)

    weights = attention_maps.collect(model, images)  # (B, L, h, N, N)
    middle = (torch.tensor(config.grid) - 1) / 2
    from_middle = (grid_coordinates(config.grid) - middle).norm(dim=-1).reshape(config.grid)  # -> (rows, columns)
    importance = {
        "last layer": on_grid(weights[:, -1].mean(dim=1)),  # (B, h, N, N) -> (B, N, N) -> (B, rows, columns)
        "rollout": on_grid(attention_maps.rollout(weights)),
        "gradient-weighted": on_grid(attention_maps.gradient_weighted(model, images)),
        "middle first": -from_middle.expand(len(images), -1, -1),
    }
    curves = {
        name: attention_maps.deletion_curve(model, images, values, random_orders=4 if name == "middle first" else 1)
        for name, values in importance.items()
    }  # one set of random orders is enough
    first = curves["middle first"]
    lines = {name: curve.ordered for name, curve in curves.items()} | {"random order": first.random}  # each (B, F)
    found: dict[str, Any] = {"fractions": first.fractions.tolist()}
    for name, line in lines.items():
        areas = attention_maps.area_under_curve(first.fractions, line)  # (B, F) -> (B,)
        found[name] = {
            "curve": line.mean(dim=0).tolist(),
            "area": areas.mean().item(),
            "standard_error": areas.std().item() / len(areas) ** 0.5,
        }
    return found


def accuracy_at_other_sizes(subject: Subject) -> dict[str, float]:
    """Enlarge or shrink the images, not the patches, and see what the model makes of the other grid.

    Returns:
        Side of the images in pixels -> accuracy on the validation images: 3/4, 1, 3/2 and 2 times the model's own side,
        where its patches fit. Learned codes and biases are interpolated; the others are computed for the new grid.
    """
    model, images = subject.vit, subject.pixels(len(subject.validation_set))
    own, patch_size = model.config.image_height, model.config.patch_size
    found = {}
    for side in (own * 3 // 4, own, own * 3 // 2, own * 2):
        if side % patch_size == 0:
            other = F.interpolate(images, (side, side), mode="bicubic", antialias=True) if side != own else images
            logits = predict(model.with_image_size(side), other)  # (B, C, side, side) -> (B, K)
            found[f"{side} pixels"] = accuracy(logits, subject.validation_set.labels)
    return found


def speed(subject: Subject) -> dict[str, float]:
    """Time a training step and a forward pass, and weigh what a step has to remember.

    Returns:
        "training images a second", "inference images a second", and "memory in MB": what the forward pass keeps for
        the backward pass of one batch, without weights, gradients and optimiser.
    """
    from torch.utils.benchmark import Timer  # late: it looks for compilers, and warns where it finds none

    model = copy.deepcopy(subject.model)  # the steps change it
    images = subject.pixels(subject.batch_size)
    labels = subject.validation_set.labels[: len(images)].to(images.device)
    work = work_of(model, images, labels, subject.precision)

    def images_a_second(function: Callable[[], None]) -> float:
        timer = Timer("function()", globals={"function": function}, num_threads=torch.get_num_threads())
        return len(images) / timer.blocked_autorange(min_run_time=1.0).median

    kept: dict[int, int] = {}  # address -> bytes: many saved tensors are views of the same numbers
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = F.cross_entropy(work.forward(), labels)  # held until the sum is made, so that no address is used twice
    memory = sum(kept.values()) / 1e6
    del loss
    return {
        "training images a second": images_a_second(work.train),
        "inference images a second": images_a_second(work.infer),
        "memory in MB": memory,
    }


def few_labels(subject: Subject) -> dict[str, Any]:
    """Ask what the encoder knows by a few labels a class, without training it.

    Returns:
        Labels a class, "10" to "300" -> accuracy on the validation images of "knn" (20 neighbours, or all there are)
        and of "linear", a linear map of the encoder's features.

    Raises:
        ValueError: There are no training images.
    """
    if subject.train_set is None:
        raise ValueError("few_labels needs the training images.")
    encoder = getattr(subject.model, "backbone", subject.model)
    known, asked = subject.train_set, subject.validation_set
    classes, found = len(known.classes), {}
    per_class = [(known.labels == label).nonzero()[:, 0] for label in range(classes)]  # K times (images of the class,)
    queries = features_of(encoder, asked.images)  # (N, D)
    for count in FEW_LABELS:
        if count > min(map(len, per_class)):
            break
        chosen = known.subset(torch.cat([places[:count] for places in per_class]))  # the first ones of each class
        features = features_of(encoder, chosen.images)  # (K * count, D)
        votes = knn(features, chosen.labels, queries, k=min(NEIGHBOURS, len(features)))  # (N, K)
        logits = linear_probe(features, chosen.labels, classes)(queries)  # (N, K)
        found[str(count)] = {"knn": accuracy(votes, asked.labels), "linear": accuracy(logits, asked.labels)}
    return found


def shift_test(subject: Subject) -> dict[str, Any]:
    """How often the model is right on pictures that were moved. See ``invariance.shift_test``."""
    images = subject.validation_set
    return invariance.shift_test(subject.model, images.images, images.labels, precision=subject.precision)


def scramble_test(subject: Subject) -> dict[str, Any]:
    """How often the model is right on pictures whose pieces changed places. See ``invariance.scramble_test``."""
    images = subject.validation_set
    return invariance.scramble_test(subject.model, images.images, images.labels, precision=subject.precision)


MEASUREMENTS: dict[str, Callable[[Subject], Any]] = {
    function.__name__: function
    for function in (
        attention_distance,
        attention_entropy,
        position_similarity,
        deletion_test,
        accuracy_at_other_sizes,
        speed,
        shift_test,
        scramble_test,
        few_labels,
    )
}


def measure(names: tuple[str, ...], subject: Subject) -> dict[str, Any]:
    """Take several measurements, with five digits each: name -> what came out."""
    return {name: _rounded(MEASUREMENTS[name](subject)) for name in names}


def _rounded(value: Any) -> Any:
    """Round every number inside, so that records stay small."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.5g}")
