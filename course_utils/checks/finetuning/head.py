"""Lesson 09 (finetuning): check of the exercise ``replace_head``."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.finetuning.trained import Trained
from course_utils.data.normalisation import Normalisation, remember
from course_utils.model.vit import VisionTransformer
from course_utils.zoo import start


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
    learns = all(old_model[name].requires_grad == original[name].requires_grad for name in original if unchanged)
    as_before = "as before" if learns and not old.training else "as before, but for its mode, or what of it learns"
    return {
        "head": _head(new.head),
        "body": "another one" if not kept else "the same numbers, in the same memory" if shared else "the same numbers",
        "config.num_classes": getattr(new.config, "num_classes", None),
        "normalisation": _kept(getattr(new, "normalisation", None), old),
        "the given model": as_before if unchanged else "changed",
        "learns": "all of it" if all(each.requires_grad for each in fresh.values()) else "not all of it",
    }


def _kept(found: Any, old: VisionTransformer) -> str:
    if found is None:
        return "lost"
    return "kept" if found == Trained(1).make().normalisation else "another one"


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
    old = model.make().eval()  # the mode of the given model is not to change
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


def _each_normalised(config: bool) -> Callable[..., Any]:
    def replace(model: VisionTransformer, num_classes: int) -> VisionTransformer:
        new = _new_head(config=config)(model, num_classes)
        remember(new, Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), None)
        return new

    return replace


def _copied(made: Callable[..., Any]) -> Callable[..., Any]:
    """Change the given model, and return a copy of it."""
    return lambda model, num_classes: copy.deepcopy(made(model, num_classes))


def _forget(model: nn.Module) -> nn.Module:
    remember(model, None, None)
    return model


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
    lambda: [(Trained(1), 3), (Trained(2, 5, 12), 7), (Trained(2, 5), 5)],
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
            *(_copied(made) for made in _each(in_place=True)),
            *(_copied(made) for made in _each(in_place=True, weight=False, bias=False)),
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
            lambda model, num_classes: _forget(_old_head(model, num_classes)),
            lambda model, num_classes: _forget(_old_head(model, num_classes, zero=True)),
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
        ),
        Mistake(
            "it cannot learn",
            "Some parameters of your model need no gradient any more, so no optimiser could train them. Look for "
            "requires_grad: the new model is to learn in all its parts.",
            *_each(learns=False),
        ),
        Mistake(
            "the given model comes back",
            "Where the number of classes stays the same, you return the model that was given. A new model is asked, "
            "with a head of zeros, also then.",
            lambda model, k: model if k == model.config.num_classes else _new_head()(model, k),
            lambda model, k: copy.deepcopy(model) if k == model.config.num_classes else _new_head()(model, k),
        ),
        Mistake(
            "mode or gradients of the given model changed",
            "The numbers of the given model are as they were, but it is now in train mode, or other parts of it learn "
            "than before. Call `train()` and `requires_grad_` on the new model only.",
            lambda model, k: _new_head()(model.train(), k),
            lambda model, k: (_new_head()(model, k), model.requires_grad_(False))[0],
        ),
        Mistake(
            "another normalisation",
            "Your model has another normalisation than the given one. Take `model.normalisation`, whatever it is.",
            *(_each_normalised(config) for config in (True, False)),
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
    in_a_model=False,
)


def _zeroed_in_place(model: VisionTransformer) -> VisionTransformer:
    for parameter in model.head.parameters():
        nn.init.zeros_(parameter)
    return model
