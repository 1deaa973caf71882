"""Lesson 09 (finetuning): check of the exercise ``freeze``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.finetuning.trained import Trained, block_of, part_of
from course_utils.checks.in_a_model import Flawed
from course_utils.model.vit import VisionTransformer

Choice = Callable[[str, int, int], bool]  # name of a parameter, blocks to freeze, depth -> frozen


def _first(extra: int = 0, embeddings: bool = True) -> Choice:
    def choose(name: str, blocks: int, depth: int) -> bool:
        number = block_of(name)
        if number is None:
            return embeddings and blocks > 0 and name.startswith("embeddings.")
        return blocks > 0 and number < blocks + extra

    return choose


def _last(name: str, blocks: int, depth: int) -> bool:
    number = block_of(name)
    return blocks > 0 and (name.startswith("embeddings.") if number is None else number >= depth - blocks)


def _by_beginning(name: str, blocks: int, depth: int) -> bool:
    beginnings = ("embeddings", *(f"encoder.blocks.{index}" for index in range(blocks)))
    return blocks > 0 and name.startswith(beginnings)


def _patches_only(name: str, blocks: int, depth: int) -> bool:
    return _first()(name, blocks, depth) and (block_of(name) is not None or "patch_embedding" in name)


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
    """Make a slip with a right count, and with one of tensors; thawing or not."""
    return tuple(
        _freezing(choice, thaw, count=count, **slips) for thaw in (True, False) for count in ("learning", "tensors")
    )


def _changing(which: str) -> Callable[[VisionTransformer, int], Any]:
    """Freeze as it should be, and set numbers to zero: of the frozen blocks, or of the whole model."""

    def freeze(model: VisionTransformer, blocks: int) -> Any:
        with torch.no_grad():
            for parameter in (model if which == "all" else model.encoder.blocks[:blocks]).parameters():
                parameter.zero_()
        return _freezing(_first())(model, blocks)

    return freeze


NUMBERS_CHANGED = Flawed("the model's numbers are no longer what they were")


def _run_freeze(attempt: Callable[..., Any], model: Trained, blocks: int) -> Any:
    vit = model.make()
    returned = attempt(vit, blocks)
    if returned is None or returned is Ellipsis:
        return returned
    before = model.make().state_dict()
    if not all(torch.equal(value, before[name]) for name, value in vit.state_dict().items()):
        return NUMBERS_CHANGED
    learns: dict[str, set[bool]] = {}
    for name, parameter in vit.named_parameters():
        learns.setdefault(part_of(name), set()).add(parameter.requires_grad)
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
        (Trained(7), 5),
    ],
    (
        Mistake(
            "nothing is frozen",
            "After your code every parameter still learns. `requires_grad = False` on a module is only a new attribute "
            "that nobody reads: set it on each parameter, or call the module's method `requires_grad_(False)`.",
            *_forms(lambda name, blocks, depth: False),
            _freezing(lambda name, blocks, depth: False, thaw=False, count="all"),
        ),
        Mistake(
            "numbers are changed",
            "Your code changes the numbers of the model, or takes parts out of it. To freeze means only: they get no "
            "gradient. What was learned is to stay.",
            *(_changing(how) for how in ("blocks", "all")),
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
            *_forms(lambda name, blocks, depth: name.startswith("encoder.norm.") or _first()(name, blocks, depth)),
            *_forms(
                lambda name, blocks, depth: name.startswith("encoder.norm.") or _always_embeddings(name, blocks, depth)
            ),
        ),
        Mistake(
            "what was frozen stays frozen",
            "This model came to you frozen, and yours leaves it so. Everything that is not to be frozen must learn, "
            "whatever was done to the model before: this is how a second training silently learns nothing.",
            *(_freezing(_first(), thaw=False, count=count) for count in ("learning", "tensors")),
        ),
        Mistake(
            "the embeddings are frozen for 0 blocks",
            "With blocks=0 nothing should be frozen, and yours freezes the embeddings.",
            *(_freezing(_always_embeddings, count=count) for count in ("learning", "tensors")),
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
    in_a_model=False,
)
