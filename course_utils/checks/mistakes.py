"""Mistakes: what one is, and those that can be made in every exercise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mistake:
    """A mistake that learners make.

    Attributes:
        name: What it is, in a few words: "scaled by the model width".
        hint: What to look at, in the learner's terms; it does not give the solution away.
        imitations: Functions that make it; a mistake may come in several forms. They take what the exercise takes.
    """

    name: str
    hint: str
    imitations: tuple[Callable[..., Any], ...]

    def __init__(self, name: str, hint: str, *imitations: Callable[..., Any]) -> None:
        for attribute, value in (("name", name), ("hint", hint), ("imitations", imitations)):
            object.__setattr__(self, attribute, value)


NOT_A_FUNCTION = Mistake(
    "no function",
    "The check needs the function itself, to call it with numbers of its own. Give its name without parentheses.",
)
EXIT = Mistake(
    "ends the program",
    "Your code ends the whole program, with `exit()`, `quit()` or `sys.exit()`. A function ends with `return`.",
)
STOPS_ITSELF = Mistake(
    "stops itself",
    "Your code raises an error that is kept for ending a program, not for a function. A function ends with `return`.",
)
CHANGES_ITS_INPUT = Mistake(
    "changes its input",
    "The result is right, but your code changes its input: whoever called it finds other numbers there afterwards. "
    "Look for a line that writes into an argument (`x[...] = `, `x += `, a method that ends with `_`). Make a new "
    "tensor or list instead.",
)
CHANGES_SETTINGS = Mistake(
    "leaves settings changed",
    "The result is right, but your code leaves a setting of PyTorch or NumPy changed, for everything that comes after "
    "it. Use such a setting in a `with` block, or not at all. The check has put it back:",
)
NO_GRADIENT = Mistake(
    "no gradient",
    "The numbers are right, but your code cuts them off from the numbers that they are made of, or from some of them: "
    "PyTorch cannot follow the way back (the gradient), and a model could not learn through your function. Look for "
    "`detach`, `.data`, `.item()`, `no_grad`, `torch.tensor(...)` around a tensor, or a detour through NumPy or "
    "Python numbers.",
)
PLAIN_NUMBER = Mistake(
    "a plain number",
    "The number is right, but it is a Python number. A tensor of shape () is asked: `backward()` needs one. Leave "
    "`.item()` and `float` out.",
)
OTHER_TYPE = Mistake(
    "another type of number",
    "The numbers are right, but their type (dtype) is not, and the next layer of a model stops at a type that it does "
    "not expect. Where do you convert, or make a new tensor of another type?",
)
NOT_WHOLE = Mistake(
    "not whole numbers",
    "The numbers are right, but some are fractions, like 4.0. A shape or a count needs whole numbers. In Python `/` "
    "makes a fraction, even of 8 / 2; `//` does not.",
)
READY_MADE = Mistake(
    "a ready-made function",
    "The result is right, but a ready-made function has done the work. Here the point is to write it yourself.",
)
ANOTHER_WAY = Mistake(
    "another way than asked",
    "The result is right, but it was made in another way. The task names the function to use.",
)
A_LOOP = Mistake(
    "a loop",
    "The result is right, but your code calls PyTorch again and again, the more often the larger the input is: that is "
    "a loop, and it is slow. The task asks for none. Which axes can be split, exchanged and joined, so that one call "
    "does all of it?",
)
LIST_FOR_TUPLE = Mistake(
    "lists in place of tuples",
    "The numbers are right, but a shape is a tuple, like (2, 3), and yours is a list, like [2, 3]. Python says that "
    "[2, 3] == (2, 3) is False.",
)

GENERAL = (
    NOT_A_FUNCTION,
    EXIT,
    STOPS_ITSELF,
    CHANGES_ITS_INPUT,
    CHANGES_SETTINGS,
    NO_GRADIENT,
    PLAIN_NUMBER,
    OTHER_TYPE,
    NOT_WHOLE,
    READY_MADE,
    ANOTHER_WAY,
    A_LOOP,
    LIST_FOR_TUPLE,
)
