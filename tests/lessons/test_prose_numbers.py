"""Every number in the text of a lesson stands in a cell beside it, in a record, or is quoted from a named source."""

import re

from lesson_files import FINDING, where

NO_CLAIM = re.compile(
    r"```.*?```"  # code
    r"|\]\([^)]*\)"  # the address of a link
    r"|arXiv \d{4}\.\d{5}(?: and \d{4}\.\d{5})*"
    r"|\b(?:19|20)\d\d\b"  # years
    r"|\d\d(?:<!-- lesson: \w+ -->| · )"  # a lesson
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


def quoted_by(lesson):
    """Numbers from the literature: the table names their sources."""
    return {number for numbers in lesson.entry.quoted.values() for number in numbers}


def test_numbers_in_the_text_stand_in_a_cell_or_are_quoted(lesson):
    shown = shown_by(lesson)
    quoted = quoted_by(lesson)
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
    assert quoted_by(lesson) <= claims


def test_the_test_finds_numbers():
    text = (
        "# 01 · T\nIn lessons 03<!-- lesson: attention --> to 12<!-- lesson: distillation --> (2019) 86.09% of 50,176, "
        "CIFAR-10, arXiv 2010.11929, 15 minutes, 8 x 16; **Next:** [03 · Attention](x)"
    )
    cell = {"source": text}
    assert claims_of(cell) == ["86.09", "50,176", "16"]


def test_a_finding_of_the_records_needs_no_cell():
    cell = {"source": "It is 66.1%<!-- positions; rotary; test.accuracy -->, not 66.2%."}
    assert claims_of(cell) == ["66.2"]
