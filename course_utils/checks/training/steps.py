"""The training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks.core import Exercise, Mistake


def _random(*shape: int) -> Tensor:
    """Return the same random numbers each time, whatever was drawn before."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(6))


class _Model(nn.Module):
    """One linear map. In evaluation mode its logits are halved, so that the mode can be seen."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())  # (K, C*H*W)

    def forward(self, images: Tensor) -> Tensor:
        logits = images.flatten(1) @ self.weight.T  # (B, C, H, W) -> (B, K)
        return logits if self.training else logits / 2


@dataclass(frozen=True)
class _Weights:
    """A model that is still to be made, so that every attempt gets a new one, in evaluation mode."""

    rows: tuple[tuple[float, ...], ...]

    def __repr__(self) -> str:
        return f"one linear map without bias, weights {[list(row) for row in self.rows]}"


@dataclass(frozen=True)
class _Rule:
    """An optimiser that is still to be made."""

    name: str
    rate: float

    def make(self, model: nn.Module) -> torch.optim.Optimizer:
        options = {"weight_decay": 0.1} if self.name == "AdamW" else {}
        return getattr(torch.optim, self.name)(model.parameters(), lr=self.rate, **options)

    def __repr__(self) -> str:
        return f"{self.name}, lr={self.rate:g}"


def _run_train_steps(attempt: Callable[..., Any], weights: _Weights, rule: _Rule, batches: list[Any]) -> Any:
    """Run a loop. Return its losses and what the weights are afterwards, and say if the losses are tensors."""
    model = _Model(torch.tensor(weights.rows)).eval()
    losses = attempt(model, rule.make(model), batches)
    if losses is None or losses is Ellipsis:
        return losses
    each = losses if isinstance(losses, (list, tuple)) else [losses]
    tensors = any(isinstance(loss, Tensor) for loss in each)
    if isinstance(losses, (Tensor, np.ndarray)):
        losses = losses.tolist()
    return (losses, model.weight.detach(), "tensors") if tensors else (losses, model.weight.detach())


def _train_examples() -> list[tuple[Any, ...]]:
    def batch(size: int, *shape: int) -> tuple[Tensor, Tensor]:
        numbers = torch.Generator().manual_seed(sum(shape) + size)
        return torch.randn(size, *shape, generator=numbers), torch.randint(3, (size,), generator=numbers)

    def weight(inputs: int) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(round(value, 1) for value in row) for row in _random(3, inputs).tolist())

    one = (torch.ones(1, 1, 1, 1), torch.tensor([0]))  # an image of one pixel
    return [
        (_Weights(((0.0,), (0.0,))), _Rule("SGD", 1.0), [one, one]),  # losses ln(2) and ln(1 + 1/e)
        (_Weights(weight(12)), _Rule("SGD", 0.5), [batch(5, 1, 3, 4), batch(4, 1, 3, 4), batch(3, 1, 3, 4)]),
        (_Weights(weight(8)), _Rule("AdamW", 0.1), [batch(4, 2, 2, 2), batch(4, 2, 2, 2), batch(2, 2, 2, 2)]),
    ]


Loop = Callable[[nn.Module, torch.optim.Optimizer, list[tuple[Tensor, Tensor]]], Any]


def _loop(
    order: str = "backward step forget",
    *,
    mode: bool = True,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    note: str = "before",
    finish: Callable[[list[Any]], Any] = lambda losses: losses,
    most: int | None = None,
) -> Loop:
    """Put a loop together from its parts, each of which may be wrong."""

    def train(model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[tuple[Tensor, Tensor]]) -> Any:
        if mode:
            model.train()
        losses: list[Any] = []
        for images, labels in batches[:most]:
            value = loss(model(images), labels)
            for action in order.split():
                if action == "backward":
                    value.backward()
                elif action == "clip":
                    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                elif action == "step":
                    optimizer.step()
                else:
                    optimizer.zero_grad(set_to_none=action == "forget")
            if note == "after":
                value = loss(model(images), labels)
            losses.append(value if note == "graph" else value.item())
        return finish(losses)

    return train


def _both(*arguments: Any, **slips: Any) -> tuple[Loop, Loop]:
    """Make a slip in training mode, and with the mode forgotten as well."""
    return _loop(*arguments, **slips), _loop(*arguments, **slips, mode=False)


def _late_mode(model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[tuple[Tensor, Tensor]]) -> Any:
    first = _loop(mode=False)(model, optimizer, batches[:1])
    return first + _loop()(model, optimizer, batches[1:])


def _sum_shown_as_mean(model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[Any]) -> Any:
    losses = _loop(loss=lambda logits, labels: F.cross_entropy(logits, labels, reduction="sum"))
    return [loss / len(batch[1]) for loss, batch in zip(losses(model, optimizer, batches), batches, strict=True)]


def _own_sgd(model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[tuple[Tensor, Tensor]]) -> Any:
    own = torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"])
    return _loop()(model, own, batches)


def _rounding_loop(digits: int) -> Loop:
    return _loop(finish=lambda losses: [round(loss, digits) for loss in losses])


def _loop_forgetting(often: int) -> Loop:
    """Forget the gradients now and then only."""

    def train(model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[tuple[Tensor, Tensor]]) -> Any:
        losses: list[float] = []
        for first in range(0, len(batches), often):
            optimizer.zero_grad()
            losses += _loop("backward step")(model, optimizer, batches[first : first + often])
        return losses

    return train


def _all_in_one(mode: bool) -> Loop:
    def train(model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[tuple[Tensor, Tensor]]) -> Any:
        if mode:
            model.train()
        losses = [F.cross_entropy(model(images), labels) for images, labels in batches]
        torch.stack(losses).sum().backward()
        optimizer.step()
        return [loss.item() for loss in losses]

    return train


train_steps = Exercise(
    "train_steps",
    lambda model, optimizer, batches: _loop()(model, optimizer, batches),
    _train_examples,
    (
        Mistake(
            "the losses are not returned",
            "Your function returns None. Note the loss of each batch in a list, and return the list after the loop.",
            *_both(finish=lambda losses: None),
        ),
        Mistake(
            "only the first batch",
            "You return inside the loop, so only the first batch is learned from. The `return` belongs behind the "
            "loop, not into it.",
            *_both(most=1),
        ),
        Mistake(
            "one number for all batches",
            "One number comes back. One for each batch is asked: collect them in a list that begins empty before the "
            "loop, so that they can be drawn.",
            *_both(finish=lambda losses: losses[-1]),
            *_both(finish=lambda losses: losses[-1:]),
            *_both(finish=lambda losses: sum(losses) / len(losses)),
            *_both(finish=sum),
            *_both(finish=lambda losses: losses[-1], note="graph"),
            *_both(finish=lambda losses: sum(losses) / len(losses), note="graph"),
            *_both(finish=sum, note="graph"),
        ),
        Mistake(
            "the gradients are clipped",
            "You clip the gradients. That is often a good idea, but it changes the steps, and here it is not asked.",
            *_both("backward clip step forget"),
        ),
        Mistake(
            "the losses are tensors",
            "Your losses are tensors. A loss that comes out of the model holds on to all that was computed for it, so "
            "the memory fills up in a long training. Keep the plain number: `.item()` gives it.",
            *_both(note="graph"),
        ),
        Mistake(
            "gradients add up",
            "PyTorch adds each new gradient to the old one. Yours are never forgotten within the loop, so the second "
            "step still goes where the first one went. Which call of the optimiser is missing, and where?",
            *_both("backward step"),
        ),
        Mistake(
            "the weights never change",
            "After your loop the weights are what they were. When `optimizer.step()` comes, each weight must have its "
            "gradient: is the step there, `backward()` before it, and nothing in between that forgets the gradients?",
            *_both("backward forget"),
            *_both("step forget"),
            *_both("backward forget step"),
            *_both("backward zero step"),
            *_both(""),
        ),
        Mistake(
            "the step comes before the gradients",
            "Your step comes before `backward()`: it uses the gradients of the batch before, and the last batch is "
            "not learned from. First the gradients, then the step.",
            *_both("step forget backward"),
            *_both("step zero backward"),
            *_both("step backward"),
        ),
        Mistake(
            "the loss is measured after the step",
            "You note the loss after the step, on the images it has just learned from. Note the loss of the forward "
            "pass that you have already: it costs nothing and does not flatter.",
            *_both(note="after"),
        ),
        Mistake(
            "softmax before the loss",
            "You give probabilities to the cross-entropy. It takes logits and makes the softmax itself; a softmax of "
            "a softmax is nearly flat, and the model learns slowly.",
            *_both(loss=lambda logits, labels: F.cross_entropy(logits.softmax(dim=1), labels)),
        ),
        Mistake(
            "sum instead of mean",
            "Your loss is the sum over the batch, so a larger batch makes longer steps. `F.cross_entropy` takes the "
            "mean if it is not told otherwise.",
            *_both(loss=lambda logits, labels: F.cross_entropy(logits, labels, reduction="sum")),
            _sum_shown_as_mean,
        ),
        Mistake(
            "one step for all batches",
            "You add the losses of all batches up and take one step at the end. Gradients and step belong into the "
            "loop: one step for each batch.",
            _all_in_one(True),
            _all_in_one(False),
        ),
        Mistake(
            "not in training mode",
            "The model is still in evaluation mode, as a test may leave it. Drop-out then does nothing. "
            "Which call of the model, before the loop, puts it into training mode?",
            _loop(mode=False),
        ),
        Mistake(
            "training mode after the first batch",
            "The first batch is still learned from in evaluation mode: `model.train()` comes too late. Call it before "
            "the loop.",
            _late_mode,
        ),
        Mistake(
            "a running mean",
            "Your list holds the mean of all losses so far. One loss for each batch is asked, that of this batch "
            "alone.",
            *_both(finish=lambda losses: [sum(losses[: n + 1]) / (n + 1) for n in range(len(losses))]),
            *_both(finish=lambda losses: [sum(losses[: n + 1]) for n in range(len(losses))]),
        ),
        Mistake(
            "two steps for each batch",
            "You take two steps for each batch. One gradient, one step.",
            *_both("backward step step forget"),
            *_both("backward backward step forget"),
        ),
        Mistake(
            "the optimiser is not used",
            "Your loop changes the weights by itself, or with an optimiser of its own, as SGD does. Use the one that "
            "is given: it may be another kind, such as AdamW.",
            _own_sgd,
        ),
        Mistake(
            "forgotten only now and then",
            "The gradients are not forgotten before every batch, so some steps still go where the one before went.",
            _loop_forgetting(2),
        ),
        Mistake(
            "a batch left out",
            "The last batch, or the first one, is not learned from.",
            *_both(most=-1),
            lambda model, optimizer, batches: _loop()(model, optimizer, batches[1:]),
        ),
        Mistake(
            "the losses are rounded",
            "Your losses are rounded. Return them as they are.",
            *map(_rounding_loop, range(4)),
        ),
    ),
    "Each batch: loss, gradients, one step, and a clean start for the next.",
    run=_run_train_steps,
)
