"""Lesson 09 (finetuning): check of the exercise ``parameter_groups``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.finetuning.trained import Trained, block_of, part_of
from course_utils.checks.in_a_model import Flawed
from course_utils.model.vit import VisionTransformer

DEFAULT_RATE = 0.7  # of an optimiser whose groups bring none

Rule = Callable[
    [str, int], int | None
]  # name of a parameter, depth -> how often the rate is multiplied; None: left out


def _steps(name: str, depth: int) -> int:
    """Count the layers between a parameter and the head: the last block has 1."""
    number = block_of(name)
    if number is not None:
        return depth - number
    return {"head": 0, "encoder": 1}.get(name.partition(".")[0], depth + 1)


def _without(*parts: str) -> Rule:
    return lambda name, depth: None if part_of(name) in parts else _steps(name, depth)


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


LEARNS_OTHERWISE = Flawed("other parts of the model learn than before")


def _filtered(*parts: str) -> Callable[..., Any]:
    """Leave frozen parameters out: of parts of the model whose names begin like this, or of all."""

    def groups(model: VisionTransformer, rate: float, decay: float) -> list[dict[str, Any]]:
        named = dict(model.named_parameters())
        out = {id(each) for name, each in named.items() if name.startswith(parts or "") and not each.requires_grad}
        return [group for group in _grouping()(model, rate, decay) if id(group["params"][0]) not in out] or [
            {"params": []}
        ]

    return groups


def _climbing(model: VisionTransformer, rate: float, decay: float) -> list[dict[str, Any]]:
    """Begin with the smallest rate, and divide by the decay from layer to layer."""
    depth = model.config.depth
    smallest = rate * decay ** (depth + 1)
    return _grouping(rate_of=lambda rate, decay, steps: smallest / decay ** (depth + 1 - steps))(model, rate, decay)


def _run_groups(attempt: Callable[..., Any], model: Trained, rate: float, decay: float) -> Any:
    vit = model.make()
    groups = attempt(vit, rate, decay)
    if groups is None or groups is Ellipsis:
        return groups
    optimizer = torch.optim.AdamW(groups, lr=DEFAULT_RATE)
    rates = {id(each): float(group["lr"]) for group in optimizer.param_groups for each in group["params"]}
    found: dict[str, Any] = {}
    before = {name: parameter.requires_grad for name, parameter in model.make().named_parameters()}
    if any(parameter.requires_grad != before[name] for name, parameter in vit.named_parameters()):
        return LEARNS_OTHERWISE
    for name, parameter in vit.named_parameters():
        part, its = part_of(name), rates.get(id(parameter), "in no group")
        found[part] = its if found.get(part, its) == its else "several rates"
    return found


def _rounded(digits: int, rate: float, decay: float, steps: int) -> float:
    return round(rate * decay**steps, digits) if steps else rate


def _rounded_each_time(digits: int, rate: float, decay: float, steps: int) -> float:
    for _ in range(steps):
        rate = round(rate * decay, digits)
    return rate


parameter_groups = Exercise(
    "parameter_groups",
    lambda model, rate, decay: _grouping()(model, rate, decay),
    lambda: [
        (Trained(2), 1.0, 0.5),
        (Trained(4), 0.3, 0.8),
        (Trained(11), 2.0, 0.9),
        (Trained(3), 1e-3, 0.65),
        (Trained(3, frozen=True), 1.0, 0.7),
        (Trained(2), 1.0, 0.0),
    ],
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
            "frozen parameters are left out",
            "You leave the parameters out that do not learn just now. They may be thawed later: every parameter stands "
            "in a group, frozen or not. (The optimiser passes over those that have no gradient.)",
            _filtered(),
            _filtered("embeddings"),
            _filtered("encoder.blocks"),
            _filtered("embeddings", "encoder.blocks"),
            _filtered("embeddings", "encoder"),
        ),
        Mistake(
            "the model is changed",
            "Your code changes what of the model learns. Only the rates are asked: leave `requires_grad` as it is.",
            lambda model, rate, decay: (model.requires_grad_(not model.head.bias.requires_grad), [{"params": []}])[1],
            lambda model, rate, decay: (
                _grouping()(model, rate, decay),
                model.embeddings.requires_grad_(False),
            )[0],
        ),
        Mistake(
            "a decay of 0",
            "A decay of 0 is allowed: the head learns, and all other rates are 0. You divide by it, or take 0 for a "
            "decay that is not given.",
            _climbing,
            lambda model, rate, decay: _grouping()(model, rate, decay or 1.0),
        ),
        Mistake(
            "rounded rates",
            "Your rates are rounded. Usual rates are small, 0.001 or less, so little is left of them. Do not round.",
            *(_grouping(rate_of=partial(how, n)) for n in (2, 3, 4, 5) for how in (_rounded, _rounded_each_time)),
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
                    part_of(name), 1 + (block_of(name) or 0)
                )
            ),
            _grouping(
                lambda name, depth: {"head": 0, "last norm": 1, "embeddings": depth + 1}.get(
                    part_of(name), block_of(name)
                )
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
            _grouping(lambda name, depth: _steps(name, depth) - (block_of(name) is not None)),
            _grouping(lambda name, depth: _steps(name, depth) - name.startswith("encoder.")),
            _grouping(lambda name, depth: _steps(name, depth) - (part_of(name) not in ("head", "last norm"))),
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
            _grouping(lambda name, depth: 0 if part_of(name) == "last norm" else _steps(name, depth)),
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
    tolerance=1e-6,  # usual rates are small
    in_a_model=False,
)
