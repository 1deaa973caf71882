"""Lesson 08 (clinic): what an examination finds, in words, and somebody's model as the tests want it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from course_utils.analysis.clinic.symptoms import SYMPTOMS, UNSEEN


@dataclass(frozen=True)
class Finding:
    """What one test found.

    Attributes:
        symptom: A key of ``SYMPTOMS``.
        words: The number, in a sentence.
    """

    symptom: str
    words: str

    def __str__(self) -> str:
        causes = "\n".join(f"    - {cause}" for cause in SYMPTOMS[self.symptom].causes)
        return f"{self.words}\n  What may be behind it:\n{causes}"


@dataclass
class Examination:
    """What ``examine`` found.

    Attributes:
        findings: The faults, in the order of the tests.
        passed: What each of the other tests measured, in a line.
        with_step: Whether a step of the owner's loop was watched.
        seconds: That it took.
    """

    findings: list[Finding] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    with_step: bool = False
    seconds: float = 0.0

    @property
    def symptoms(self) -> list[str]:
        """The keys of what was found."""
        return [each.symptom for each in self.findings]

    def find(self, symptom: str, words: str) -> None:
        """Note a fault."""
        self.findings.append(Finding(symptom, words))

    def __str__(self) -> str:
        lines = [f"{len(self.findings)} finding{'s' * (len(self.findings) != 1)}, in {self.seconds:.0f} seconds."]
        lines += [f"! {finding}" for finding in self.findings]
        lines += [f"- {line}" for line in self.passed]
        if not self.findings:
            lines.append("Nothing was found. That does not prove that nothing is wrong.")
        if not self.with_step:
            lines.append("Not looked at: optimiser, rate and loop. Give step=..., and they are.")
        return "\n".join([*lines, f"Not to be seen from outside: {UNSEEN}."])


class Probe(nn.Module):
    """Somebody's model, whose answer is made a tensor of logits, or refused in a sentence.

    Args:
        model: Takes images, and returns logits in some form.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Map images to logits (B, K), float32.

        Raises:
            ValueError: The model stops with an error, or returns no logits.
        """
        weights = next((each for each in self.model.parameters() if each.is_floating_point()), None)
        if images.is_floating_point() and weights is not None:
            images = images.to(weights.dtype)
        try:
            answer = self.model(images)
        except Exception as error:
            said = (str(error).strip() or "no message").splitlines()[0]
            raise ValueError(
                f"The model stopped with {type(error).__name__} on images of shape {tuple(images.shape)}, "
                f"{images.dtype}: {said.rstrip('.')}. Give it images of the size and type that it takes in your loop."
            ) from error
        return logits_in(answer, len(images))

    def at_rest(self) -> Probe:
        """Put all into eval mode but the norms over a batch: what is random rests, the statistics are the batch's."""
        self.eval()
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train()
        return self


def logits_in(answer: Any, images: int) -> Tensor:
    """Find the logits (B, K) in what a model returns: a tensor, a tuple that begins with one, or ``.logits``.

    Raises:
        ValueError: There are none.
    """
    if not isinstance(answer, Tensor):
        with suppress(AttributeError, KeyError, TypeError):
            answer = answer["logits"] if isinstance(answer, dict) else answer.logits
    if isinstance(answer, (tuple, list)) and answer:
        answer = answer[0]
    if not isinstance(answer, Tensor) or answer.ndim != 2 or answer.shape[0] != images or answer.shape[1] < 2:
        shape = f"a tensor of shape {tuple(answer.shape)}" if isinstance(answer, Tensor) else type(answer).__name__
        raise ValueError(f"A classifier returns logits (B, K), here ({images}, K), but this model returns {shape}.")
    return answer.float()


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return name -> parameter of all that are to be trained."""
    return {name: each for name, each in model.named_parameters() if each.requires_grad}


def a_few(names: list[str]) -> str:
    """Name a few of many."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
