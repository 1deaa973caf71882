"""Lesson 08 (clinic): patients by letter: two for a start, six, and a hard seventh. Reading on tells what they have.

Each is a small Vision Transformer with its loop. Printing it does not tell what is wrong: changed parts bear the usual
names.
"""

from __future__ import annotations

from torch import Tensor, nn

from course_utils.analysis.clinic import quick_tests, slips
from course_utils.analysis.clinic.slips import HEALTHY, Patient, Slip
from course_utils.support.settings import look_up


class _CutEmbeddings(slips.ViTEmbeddings):
    """The gradient ends behind the embeddings."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).detach()


class _SoftmaxHead(nn.Linear):
    """A head that ends with a softmax."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).softmax(dim=-1)


def _softmax(patient: Patient) -> None:
    patient.model.get_submodule("head").__class__ = _SoftmaxHead


def _cut(patient: Patient) -> None:
    patient.model.get_submodule("embeddings").__class__ = _CutEmbeddings


def _by_name(name: str) -> Slip:
    return next(slip for slip in slips.SLIPS if slip.name == name)


_WARD: dict[str, Slip] = {
    "A": _by_name("one code for all"),
    "B": Slip("softmax in the head", "outside", ("softmax",), _softmax),
    "C": _by_name("attention over the batch, mean pooling"),
    "D": _by_name("causal mask left in"),
    "E": _by_name("gradients not set to zero"),
    "F": Slip("embeddings cut off", "outside", ("no gradient",), _cut),
    "G": _by_name("scaled by the model width"),
    "X": _by_name("no position codes"),  # the two that the lesson begins with
    "Y": _by_name("attention over the batch, class token"),
}
LETTERS = "ABCDEF"


def admit(letter: str) -> Patient:
    """Bring in a patient: "A" to "F", "G" for the hard one, "X" and "Y" for a start, "healthy" to compare with.

    Raises:
        ValueError: There is no such patient.
    """
    slip = look_up("patient", letter, {"healthy": HEALTHY, **_WARD})
    patient = slip.patient(seed=len(letter) if slip is HEALTHY else ord(letter))
    for module in patient.model.modules():
        _hide(module)
    return patient


def diagnosis(letter: str) -> str:
    """Return the symptom, a key of ``SYMPTOMS``, that the tests should find in a patient; "" for the seventh.

    Raises:
        ValueError: There is no such patient.
    """
    return next(iter(look_up("patient", letter, _WARD).signs), "")


def _hide(module: nn.Module) -> None:
    """Give a changed part the name of what it was."""
    cls = type(module)
    if cls.__module__ in (__name__, slips.__name__):
        usual = next(each for each in cls.__mro__ if each.__module__ not in (__name__, slips.__name__))
        module.__class__ = type(usual.__name__, (cls,), {"__doc__": usual.__doc__})


def in_another_program(patient: Patient) -> nn.Module:
    """Return the course's own model with the patient's weights."""
    model = HEALTHY.patient().model
    model.load_state_dict(patient.model.state_dict())
    return model


def numbers_of(letter: str, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Run the quick tests on a patient: name of the test -> number.

    Args:
        letter: Of the patient.
        images: uint8 (B, 3, 32, 32): a few.
        labels: (B,).
    """
    patient = admit(letter)
    model, x = patient.model, patient.enter(images)
    found = {
        "1 first loss": quick_tests.first_loss(model, x, labels),
        "3 other images": quick_tests.change_between_images(model, x),
        "4 shuffled": quick_tests.change_by_shuffling(model, x, 8),
        "5 alone": quick_tests.change_when_alone(model, x),
        "6 no gradient": float(len(quick_tests.without_gradient(model, x, labels))),
    }
    model.zero_grad()
    lengths = quick_tests.gradient_lengths(model, patient.step, x, labels)
    found["gradient, step 10 / step 1"] = lengths[-1] / max(lengths[0], 1e-12)
    fresh = admit(letter).model
    found["2 one batch"] = quick_tests.by_heart(fresh, x, labels, 100, 3e-3)[-1]
    return dict(sorted(found.items()))
