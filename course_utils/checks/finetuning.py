"""Lesson 09 (finetuning): checks of the exercises."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.core import Exercise, Mistake
from course_utils.data.normalisation import Normalisation, remember
from course_utils.model.config import ViTConfig
from course_utils.model.vit import VisionTransformer
from course_utils.zoo import start

DEFAULT_RATE = 0.7  # of an optimiser whose groups bring none


@dataclass(frozen=True)
class Trained:
    """A small Vision Transformer that is still to be made, so that every attempt gets a new one."""

    depth: int
    num_classes: int = 4
    embed_dim: int = 8
    frozen: bool = False

    def make(self) -> VisionTransformer:
        """Make it, with numbers other than zero everywhere."""
        config = ViTConfig(8, 4, 3, self.num_classes, self.embed_dim, self.depth, num_heads=2, mlp_ratio=1.0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(9)
            model = VisionTransformer(config)
            torch.manual_seed(9)
            for parameter in model.parameters():
                parameter.data.normal_()
        remember(
            model, Normalisation((0.5, 0.4, 0.3), (0.2, 0.25, 0.3)), [f"class {i}" for i in range(self.num_classes)]
        )
        return model.requires_grad_(not self.frozen)

    def __repr__(self) -> str:
        frozen = ", everything frozen" if self.frozen else ""
        return f"a ViT with {self.depth} blocks, D = {self.embed_dim}, {self.num_classes} classes{frozen}"


def _part(name: str) -> str:
    """Name the part of the model that a parameter belongs to."""
    if name.startswith("encoder.blocks."):
        return f"block {name.split('.')[2]}"
    return "last norm" if name.startswith("encoder.norm.") else name.partition(".")[0]


# --- replace_head


def _facts(new: Any, old: VisionTransformer, original: dict[str, nn.Parameter]) -> Any:
    """Say in words what an attempt at ``replace_head`` returned, and what it did to the model that it was given.

    ``original`` are the parameters of the given model as they were.
    """
    if not isinstance(new, nn.Module):
        return new
    if not isinstance(new, VisionTransformer):
        return f"a {type(new).__name__}"
    fresh, old_model = dict(new.named_parameters()), dict(old.named_parameters())
    body = [name for name in original if not name.startswith("head.")]
    shared = any(
        name in fresh and fresh[name].data_ptr() == old_model[name].data_ptr() for name in body if name in old_model
    )
    kept = all(name in fresh and torch.equal(fresh[name], original[name]) for name in body)
    unchanged = old_model.keys() == original.keys() and all(
        torch.equal(old_model[name], original[name]) for name in original
    )
    unchanged = unchanged and old.config.num_classes == original["head.bias"].numel()
    return {
        "head": _head(new.head),
        "body": "another one" if not kept else "the same numbers, in the same memory" if shared else "the same numbers",
        "config.num_classes": getattr(new.config, "num_classes", None),
        "normalisation": "kept" if getattr(new, "normalisation", None) is not None else "lost",
        "the given model": "as before" if unchanged else "changed",
        "learns": "all of it" if all(each.requires_grad for each in fresh.values()) else "not all of it",
    }


def _head(head: Any) -> str:
    if not isinstance(head, nn.Linear):
        return f"a {type(head).__name__}"
    size = f"{head.in_features} -> {head.out_features}"
    if head.bias is None:
        return f"{size}, no bias, {'zeros' if not head.weight.any() else 'not zeros'}"
    zeros = {"weight": not head.weight.any(), "bias": not head.bias.any()}
    rest = [name for name, zero in zeros.items() if not zero]
    return f"{size}, zeros" if not rest else f"{size}, not zeros"


def _run_replace_head(attempt: Callable[..., Any], model: Trained, num_classes: int) -> Any:
    old = model.make()
    return _facts(attempt(old, num_classes), old, dict(model.make().named_parameters()))


def _new_head(
    *,
    weight: bool = True,
    bias: bool = True,
    has_bias: bool = True,
    size: Callable[[int, int], tuple[int, int]] = lambda d, k: (d, k),
    body: bool = True,
    config: bool = True,
    normalisation: bool = True,
    in_place: bool = False,
    shallow: bool = False,
    learns: bool = True,
) -> Callable[[VisionTransformer, int], VisionTransformer]:
    """Put a way to replace a head together from its parts, each of which may be wrong."""

    def replace(model: VisionTransformer, num_classes: int) -> VisionTransformer:
        new = model if in_place else copy.copy(model) if shallow else copy.deepcopy(model)
        if shallow:
            new._modules = dict(model._modules)
        if not body:
            new = VisionTransformer(model.config)
            if normalisation:
                remember(new, model.normalisation, None)  # type: ignore[arg-type]
        new.head = nn.Linear(*size(model.config.embed_dim, num_classes), bias=has_bias)
        with torch.no_grad():
            for zero, numbers in ((weight, new.head.weight), (bias, new.head.bias)):
                if numbers is not None:
                    numbers.fill_(0.0 if zero else 0.1)
        if config:
            new.config = model.config.replace(num_classes=num_classes)
        if not normalisation:
            remember(new, None, None)
        return new if learns else new.requires_grad_(False)

    return replace


def _each(**slips: Any) -> tuple[Callable[..., Any], ...]:
    """Make the same slip with each of two further ones, which are often made with it."""
    return tuple(
        _new_head(**{"config": config, "normalisation": normalisation} | slips)
        for config, normalisation in itertools.product((True, False), repeat=2)
    )


def _only_head(model: VisionTransformer, num_classes: int) -> nn.Linear:
    return nn.Linear(model.config.embed_dim, num_classes)


def _old_head(model: VisionTransformer, num_classes: int, zero: bool = False, config: bool = False) -> nn.Module:
    new = copy.deepcopy(model)
    if zero:
        for parameter in new.head.parameters():
            nn.init.zeros_(parameter)
    if config:
        new.config = new.config.replace(num_classes=num_classes)
    return new


replace_head = Exercise(
    "replace_head",
    lambda model, num_classes: start.replace_head(model, num_classes),
    lambda: [(Trained(1), 3), (Trained(2, 5, 12), 7)],
    (
        Mistake(
            "only the head comes back",
            "You return the head alone. The whole new model is asked: the old body with this head on it.",
            _only_head,
        ),
        Mistake(
            "the given model is changed",
            "The model that you were given is changed: its old head is gone, and nobody can compare before and after. "
            "Make a copy first, and give the copy the new head.",
            *_each(in_place=True),
            *_each(in_place=True, weight=False, bias=False),
            *_each(in_place=True, weight=False),
            *_each(in_place=True, bias=False),
            lambda model, num_classes: _zeroed_in_place(model),
        ),
        Mistake(
            "the old head is still there",
            "The head still has as many outputs as before. To fill it with other numbers is not enough: it needs one "
            "row of weights for each of the new classes.",
            _old_head,
            lambda model, num_classes: _old_head(model, num_classes, zero=True),
            lambda model, num_classes: _old_head(model, num_classes, config=True),
            lambda model, num_classes: _old_head(model, num_classes, zero=True, config=True),
        ),
        Mistake(
            "inputs and outputs exchanged",
            "Your head takes as many numbers as there are classes. It is the other way round: it reads the D numbers "
            "of the body and gives one for each class. nn.Linear takes the inputs first.",
            *_each(size=lambda d, k: (k, d)),
            *_each(size=lambda d, k: (k, d), weight=False, bias=False),
        ),
        Mistake(
            "the body is lost",
            "Your new model has new random numbers in its body: all that was learned is gone. Put the old weights "
            "into it, all but those of the head.",
            *_each(body=False),
            *_each(body=False, weight=False, bias=False),
            *_each(body=False, weight=False),
        ),
        Mistake(
            "the body is shared",
            "Body and numbers are right, but both models use the same memory: train one, and the other one changes. "
            "copy.copy copies the model's outermost shell only; load_state_dict and copy.deepcopy copy the numbers.",
            *_each(shallow=True),
            *_each(shallow=True, weight=False, bias=False),
        ),
        Mistake(
            "the head has no bias",
            "Your head has no bias: one number for each class is missing. nn.Linear has one if it is not told "
            "otherwise.",
            *_each(has_bias=False),
            *_each(has_bias=False, weight=False),
        ),
        Mistake(
            "the head is random",
            "The new head is not all zeros: weight or bias keeps the random numbers that nn.Linear begins with. They "
            "would send random gradients into a body that is good already.",
            *_each(weight=False, bias=False),
            *_each(weight=False),
            *_each(bias=False),
        ),
        Mistake(
            "it cannot learn",
            "Some parameters of your model need no gradient any more, so no optimiser could train them. Look for "
            "requires_grad: the new model is to learn in all its parts.",
            *_each(learns=False),
        ),
        Mistake(
            "the config still has the old number",
            "The head is new, but `config.num_classes` is what it was: whoever saves this model and loads it again "
            "gets a model with the old head. A config is frozen, so give the model a changed copy: "
            "config.replace(...).",
            _new_head(config=False),
            _new_head(config=False, normalisation=False),
        ),
        Mistake(
            "the normalisation is lost",
            "The new model does not know how its pixels are normalised, and its body was trained with just these "
            "numbers. Carry `model.normalisation` over, or begin with copy.deepcopy, which takes all along.",
            _new_head(normalisation=False),
        ),
    ),
    "The same body in its own memory, a head of zeros, and config and normalisation fit.",
    run=_run_replace_head,
)


def _zeroed_in_place(model: VisionTransformer) -> VisionTransformer:
    for parameter in model.head.parameters():
        nn.init.zeros_(parameter)
    return model


# --- freeze

Choice = Callable[[str, int, int], bool]  # name of a parameter, blocks to freeze, depth -> frozen


def _block(name: str) -> int | None:
    return int(name.split(".")[2]) if name.startswith("encoder.blocks.") else None


def _first(extra: int = 0, embeddings: bool = True) -> Choice:
    def choose(name: str, blocks: int, depth: int) -> bool:
        number = _block(name)
        if number is None:
            return embeddings and blocks > 0 and name.startswith("embeddings.")
        return blocks > 0 and number < blocks + extra

    return choose


def _last(name: str, blocks: int, depth: int) -> bool:
    number = _block(name)
    return blocks > 0 and (name.startswith("embeddings.") if number is None else number >= depth - blocks)


def _by_beginning(name: str, blocks: int, depth: int) -> bool:
    beginnings = ("embeddings", *(f"encoder.blocks.{index}" for index in range(blocks)))
    return blocks > 0 and name.startswith(beginnings)


def _patches_only(name: str, blocks: int, depth: int) -> bool:
    return _first()(name, blocks, depth) and (_block(name) is not None or "patch_embedding" in name)


def _all_but_head(name: str, blocks: int, depth: int) -> bool:
    return blocks > 0 and not name.startswith("head.")


def _with_norm(name: str, blocks: int, depth: int) -> bool:
    return _first()(name, blocks, depth) or (blocks > 0 and name.startswith("encoder.norm."))


def _always_embeddings(name: str, blocks: int, depth: int) -> bool:
    return name.startswith("embeddings.") or _first()(name, blocks, depth)


def _freezing(
    choice: Choice, thaw: bool = True, turned: bool = False, count: str = "learning"
) -> Callable[[VisionTransformer, int], Any]:
    """Put a way to freeze together from its parts, each of which may be wrong."""

    def freeze(model: VisionTransformer, blocks: int) -> Any:
        for name, parameter in model.named_parameters():
            if choice(name, blocks, model.config.depth) != turned:
                parameter.requires_grad_(False)
            elif thaw:
                parameter.requires_grad_(True)
        counted = [p for p in model.parameters() if count == "all" or p.requires_grad == (count != "frozen")]
        return len(counted) if count == "tensors" else sum(parameter.numel() for parameter in counted)

    return freeze


def _forms(choice: Choice, **slips: Any) -> tuple[Callable[..., Any], ...]:
    """Make a slip with a right count, and with each wrong one; thawing or not."""
    return tuple(
        _freezing(choice, thaw, count=count, **slips)
        for thaw in (True, False)
        for count in ("learning", "tensors", "frozen", "all")
    )


def _run_freeze(attempt: Callable[..., Any], model: Trained, blocks: int) -> Any:
    vit = model.make()
    returned = attempt(vit, blocks)
    if returned is None or returned is Ellipsis:
        return returned
    learns: dict[str, set[bool]] = {}
    for name, parameter in vit.named_parameters():
        learns.setdefault(_part(name), set()).add(parameter.requires_grad)
    words = {frozenset({True}): "learns", frozenset({False}): "frozen"}
    found = {part: words.get(frozenset(each), "partly frozen") for part, each in learns.items()}
    if isinstance(returned, (float, Tensor)) and float(returned) == int(returned):
        returned = int(returned)
    return found | {"returned": returned}


freeze = Exercise(
    "freeze",
    lambda model, blocks: _freezing(_first())(model, blocks),
    lambda: [
        (Trained(2), 1),
        (Trained(12), 2),
        (Trained(3, frozen=True), 1),
        (Trained(3, frozen=True), 0),
        (Trained(3), 3),
    ],
    (
        Mistake(
            "nothing is frozen",
            "After your code every parameter still learns. `requires_grad = False` on a module is only a new attribute "
            "that nobody reads: set it on each parameter, or call the module's method `requires_grad_(False)`.",
            *_forms(lambda name, blocks, depth: False),
        ),
        Mistake(
            "turned round",
            "What should be frozen learns, and what should learn is frozen. requires_grad=True means: compute a "
            "gradient, learn.",
            *_forms(_first(), turned=True),
        ),
        Mistake(
            "the embeddings still learn",
            "The blocks are right, but the embeddings before them learn. What they put out would change under the "
            "frozen blocks, which were trained for the old tokens. Freeze them too.",
            *_forms(_first(embeddings=False)),
        ),
        Mistake(
            "class token and position codes still learn",
            "Of the embeddings only the patch map is frozen. Class token and position codes stand there as well: "
            "model.embeddings holds all three.",
            *_forms(_patches_only),
        ),
        Mistake(
            "one block too many",
            "One block too many is frozen. The blocks are numbered from 0: the first two are number 0 and 1.",
            *_forms(_first(1)),
        ),
        Mistake(
            "one block too few",
            "One block too few is frozen. The blocks are numbered from 0: the first two are number 0 and 1.",
            *_forms(_first(-1)),
        ),
        Mistake(
            "the last blocks",
            "You freeze the blocks next to the head. The first ones, next to the images, are the most general: edges "
            "and colours are useful everywhere, so these may stay as they are.",
            *_forms(_last),
        ),
        Mistake(
            "block 10 begins like block 1",
            "In the model with 12 blocks you freeze blocks 10 and 11 too: their names begin with 'encoder.blocks.1'. "
            "Compare numbers, or go through model.encoder.blocks[:blocks].",
            *_forms(_by_beginning),
        ),
        Mistake(
            "everything but the head",
            "You freeze everything but the head, whatever `blocks` is. Only that many blocks should stay as they are.",
            *_forms(_all_but_head),
            *_forms(lambda name, blocks, depth: not name.startswith("head.")),
        ),
        Mistake(
            "the last norm is frozen",
            "The norm behind the last block is frozen. It is no block and no embedding, so it should learn.",
            *_forms(_with_norm),
        ),
        Mistake(
            "what was frozen stays frozen",
            "This model came to you frozen, and yours leaves it so. Everything that is not to be frozen must learn, "
            "whatever was done to the model before: this is how a second training silently learns nothing.",
            *(_freezing(_first(), thaw=False, count=count) for count in ("learning", "tensors", "frozen", "all")),
        ),
        Mistake(
            "the embeddings are frozen for 0 blocks",
            "With blocks=0 nothing should be frozen, and yours freezes the embeddings.",
            *_forms(_always_embeddings),
        ),
        Mistake(
            "the tensors are counted",
            "The right parts are frozen, but you return how many tensors learn. A tensor holds many numbers: `numel()` "
            "says how many.",
            _freezing(_first(), count="tensors"),
        ),
        Mistake(
            "what is frozen is counted",
            "The right parts are frozen, but you count the numbers that stay as they are. Count those that learn.",
            _freezing(_first(), count="frozen"),
        ),
        Mistake(
            "all numbers are counted",
            "The right parts are frozen, but you count all numbers of the model. Count those that learn.",
            _freezing(_first(), count="all"),
        ),
    ),
    "The first blocks and all before them are frozen, all else learns, and you know how many numbers that is.",
    run=_run_freeze,
)


# --- parameter_groups

Rule = Callable[
    [str, int], int | None
]  # name of a parameter, depth -> how often the rate is multiplied; None: left out


def _steps(name: str, depth: int) -> int:
    """Count the layers between a parameter and the head: the last block has 1."""
    number = _block(name)
    if number is not None:
        return depth - number
    return {"head": 0, "encoder": 1}.get(name.partition(".")[0], depth + 1)


def _without(*parts: str) -> Rule:
    return lambda name, depth: None if _part(name) in parts else _steps(name, depth)


def _patch_map_only(name: str, depth: int) -> int | None:
    forgotten = name.startswith("embeddings.") and "patch_embedding" not in name
    return None if forgotten else _steps(name, depth)


def _grouping(
    rule: Rule = _steps,
    rate_of: Callable[[float, float, int], float] = lambda rate, decay, steps: rate * decay**steps,
    key: str = "lr",
    twice: bool = False,
) -> Callable[[VisionTransformer, float, float], list[dict[str, Any]]]:
    """Put a way to make groups together from its parts, each of which may be wrong."""

    def groups(model: VisionTransformer, rate: float, decay: float) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for name, parameter in model.named_parameters():
            steps = rule(name, model.config.depth)
            if steps is not None:
                found.append({"params": [parameter], key: rate_of(rate, decay, steps)})
        return [*found, {"params": list(model.parameters()), key: rate}] if twice else found

    return groups


def _run_groups(attempt: Callable[..., Any], model: Trained, rate: float, decay: float) -> Any:
    vit = model.make()
    groups = attempt(vit, rate, decay)
    if groups is None or groups is Ellipsis:
        return groups
    optimizer = torch.optim.AdamW(groups, lr=DEFAULT_RATE)
    rates = {id(each): float(group["lr"]) for group in optimizer.param_groups for each in group["params"]}
    found: dict[str, Any] = {}
    for name, parameter in vit.named_parameters():
        part, its = _part(name), rates.get(id(parameter), "in no group")
        found[part] = its if found.get(part, its) == its else "several rates"
    return found


parameter_groups = Exercise(
    "parameter_groups",
    lambda model, rate, decay: _grouping()(model, rate, decay),
    lambda: [(Trained(2), 1.0, 0.5), (Trained(4), 0.3, 0.8), (Trained(11), 2.0, 0.9)],
    (
        Mistake(
            "the groups bring no rate",
            "The optimiser does not find your rates and takes its own for all. In a group the learning rate has the "
            "name 'lr', beside 'params'.",
            _grouping(key="rate"),
        ),
        Mistake(
            "a parameter in two groups",
            "The same parameter stands in two groups, and the optimiser refuses that. Each belongs into exactly one.",
            _grouping(twice=True),
        ),
        Mistake(
            "no decay",
            "All parts have the same rate: `decay` is not used, or multiplied with 1 only.",
            _grouping(rate_of=lambda rate, decay, steps: rate),
        ),
        Mistake(
            "only the head is faster",
            "All blocks have the same rate. It should fall from block to block, towards the images.",
            _grouping(rate_of=lambda rate, decay, steps: rate * decay ** min(steps, 1)),
        ),
        Mistake(
            "the wrong way round",
            "Your rates fall towards the head. The first layers are the most general, and should move least; the head "
            "is new and has all to learn.",
            _grouping(lambda name, depth: depth + 1 - _steps(name, depth)),
            _grouping(lambda name, depth: 0 if name.startswith("head.") else depth + 1 - _steps(name, depth)),
            _grouping(lambda name, depth: 0 if _steps(name, depth) == 0 else 1 + depth + 1 - _steps(name, depth)),
            _grouping(
                lambda name, depth: depth if name.startswith("encoder.norm") else depth + 1 - _steps(name, depth)
            ),
            _grouping(
                lambda name, depth: {"head": 0, "last norm": 1, "embeddings": depth + 1}.get(
                    _part(name), 1 + (_block(name) or 0)
                )
            ),
            _grouping(
                lambda name, depth: {"head": 0, "last norm": 1, "embeddings": depth + 1}.get(_part(name), _block(name))
            ),
        ),
        Mistake(
            "along a straight line",
            "Your rates fall by the same amount from layer to layer. Each should be `decay` times the one behind it: a "
            "power, not a product.",
            _grouping(rate_of=lambda rate, decay, steps: rate * (1 - (1 - decay) * steps)),
            _grouping(rate_of=lambda rate, decay, steps: rate * decay * steps if steps else rate),
            _grouping(rate_of=lambda rate, decay, steps: rate * decay / max(steps, 1) if steps else rate),
        ),
        Mistake(
            "divided instead of multiplied",
            "Your rates grow towards the images: you divide by `decay`. Each layer should have `decay` times the rate "
            "of the one behind it, which is less.",
            _grouping(rate_of=lambda rate, decay, steps: rate / decay**steps),
        ),
        Mistake(
            "the head decays too",
            "Every rate is one `decay` too small, the head's as well. The head has the full rate: it begins with "
            "zeros.",
            _grouping(rate_of=lambda rate, decay, steps: rate * decay ** (steps + 1)),
        ),
        Mistake(
            "the last block has the full rate",
            "The last block learns as fast as the head. Only the head has the full rate; the last block has `decay` "
            "times that.",
            _grouping(rate_of=lambda rate, decay, steps: rate * decay ** max(steps - 1, 0)),
            _grouping(lambda name, depth: _steps(name, depth) - (_block(name) is not None)),
            _grouping(lambda name, depth: _steps(name, depth) - (_part(name) not in ("head", "last norm"))),
        ),
        Mistake(
            "the embeddings are as fast as the first block",
            "The embeddings have the rate of the first block. They lie one layer further from the head, so once more "
            "`decay`.",
            _grouping(lambda name, depth: min(_steps(name, depth), depth)),
        ),
        Mistake(
            "the last norm is as fast as the head",
            "The norm behind the last block has the head's rate. It is trained already, like the last block: give it "
            "that block's rate.",
            _grouping(lambda name, depth: 0 if _part(name) == "last norm" else _steps(name, depth)),
        ),
        Mistake(
            "the last norm is forgotten",
            "The norm behind the last block stands in no group, so it would never learn. It belongs to the last block.",
            _grouping(_without("last norm")),
        ),
        Mistake(
            "the embeddings are forgotten",
            "The embeddings stand in no group, so they would never learn.",
            _grouping(_without("embeddings")),
            _grouping(_without("embeddings", "last norm")),
        ),
        Mistake(
            "class token and position codes are forgotten",
            "Of the embeddings only the patch map is in a group. Class token and position codes stand in "
            "model.embeddings as well.",
            _grouping(_patch_map_only),
        ),
        Mistake(
            "the head is forgotten",
            "The head stands in no group: the one part that has all to learn would stay at zero.",
            _grouping(_without("head")),
        ),
    ),
    "Each parameter once, and each layer with `decay` times the rate of the layer behind it.",
    run=_run_groups,
)
