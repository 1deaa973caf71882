"""Every number in the text of a lesson stands in a cell beside it, in a record, or is quoted from a named source."""

import re

from lesson_files import FINDING, where

# Numbers from the literature, with their source. Nothing that we measured belongs here.
QUOTED = {
    "00": {
        "93.6": "Lee et al. 2021, arXiv 2112.13492",
        **dict.fromkeys(("94", "2.6"), "README of KellerJordan/cifar10-airbench"),
    },
    "01": {},
    "02": {
        **dict.fromkeys(("92.43", "91.38"), "Hassani et al. 2021, README of Compact-Transformers"),
        **dict.fromkeys(
            ("0.82", "79.63", "86.09", "86.52", "88.49", "90.57"),
            "README of s-chh/2D-Positional-Encoding-Vision-Transformer, single runs",
        ),
    },
    "03": {},
    "04": {"90": "recipes read for training.md: all plain ViTs at 90% or more on CIFAR-10 warm up"},
    "05": dict.fromkeys(("92.43", "91.38"), "Hassani et al. 2021, README of Compact-Transformers"),
    "06": {
        "60,000": "Krizhevsky 2009",
        **dict.fromkeys(("30", "64"), "accuracies and epochs of widely read tutorials"),
        **dict.fromkeys(("93.6", "2.7"), "Lee et al. 2021, arXiv 2112.13492"),
    },
    "07": {},
}

NO_CLAIM = re.compile(
    r"```.*?```"  # code
    r"|\]\([^)]*\)"  # the address of a link
    r"|arXiv \d{4}\.\d{5}(?: and \d{4}\.\d{5})*"
    r"|\b(?:19|20)\d\d\b"  # years
    r"|\blessons? \d\d(?:(?:,| to| and|–) ?\d\d)*"
    r"|^# \d\d ·"
    r"|\b(?:section|equation|figure|appendix) [\d.]+"
    r"|\b\d+ minutes?\b"  # how long an exercise or a lesson takes
    r"|\bPython 3\.\d+",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
NUMBER = re.compile(r"(?<![\w.\-/])\d[\d,]*(?:\.\d+)?(?![\w])")
ANY_NUMBER = re.compile(r"\d[\d,_]*(?:\.\d+)?")


def values_in(text):
    return {float(number.replace(",", "").replace("_", "")) for number in ANY_NUMBER.findall(text)}


def shown_by(lesson):
    """Every number in the code, the printed text, the tables and the descriptions of the figures."""
    found = set()
    for cell in lesson.code:
        found |= values_in(cell["source"])
        for output in cell["outputs"]:
            found |= values_in("".join(output.get("text", "")))
            for kind in ("text/plain", "text/markdown"):
                found |= values_in("".join(output.get("data", {}).get(kind, "")))
    return found


def claims_of(cell):
    """Numbers of two digits or more, or with decimals, as they are written."""
    text = NO_CLAIM.sub(" ", FINDING.sub(" ", cell["source"]))  # test_findings looks at those
    return [number.rstrip(",") for number in NUMBER.findall(text) if len(number.rstrip(",")) > 1]


def test_numbers_in_the_text_stand_in_a_cell_or_are_quoted(lesson):
    shown = shown_by(lesson)
    quoted = QUOTED.get(lesson.path.name[:2], {})
    untraced = []
    for cell in lesson.markdown:
        for claim in claims_of(cell):
            value = float(claim.replace(",", ""))
            # a percentage may be printed as a share
            found = any(abs(value - each) < 1e-9 or abs(value / 100 - each) < 1e-9 for each in shown)
            if not found and claim not in quoted:
                untraced.append(f"{claim} in {where(lesson, cell)}")
    assert not untraced, "\n\n".join(untraced)


def test_quoted_numbers_are_in_use(lesson):
    claims = {claim for cell in lesson.markdown for claim in claims_of(cell)}
    assert set(QUOTED.get(lesson.path.name[:2], {})) <= claims


def test_the_test_finds_numbers():
    cell = {"source": "# 01 · T\nIn lesson 03 (2019) 86.09% of 50,176, CIFAR-10, arXiv 2010.11929, 15 minutes, 8 x 16"}
    assert claims_of(cell) == ["86.09", "50,176", "16"]


def test_a_finding_of_the_records_needs_no_cell():
    cell = {"source": "It is 66.1%<!-- positions; rotary; test.accuracy -->, not 66.2%."}
    assert claims_of(cell) == ["66.2"]
