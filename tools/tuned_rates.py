"""Write the optimiser and the learning rate that a tuning set found best into the sets that are to use them.

    python tools/tuned_rates.py                  # into every set of experiments/
    python tools/tuned_rates.py --results DIR    # of records that lie elsewhere
    python tools/tuned_rates.py --check          # only say whether they stand there

A line that is to be written ends with its source, and names what it is for:

    recipe = { optimizer = "muon", learning_rate = 4e-3 } # the best of cnn_rates for the CNN

The variants of a tuning set are called "CNN, Muon 4e-3". The best is the one with the highest accuracy on the
validation images, of two that are level the first.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from course_utils.analysis.snapshots import RESULTS_FOLDER
from course_utils.experiments.results import Results, load_results

LINE = re.compile(r'recipe = \{ optimizer = "(\w+)", learning_rate = (\S+) \} # the best of (\w+) for the (.+)')


def best_recipe(results: Results, model: str) -> tuple[str, float]:
    """Return the optimiser and the learning rate that were best for a model.

    Raises:
        ValueError: Nothing of that model was tried.
    """
    finished = [record for record in results.records if record["status"] == "finished"]
    tried = [record for record in finished if record["variant"].rpartition(", ")[0] == model]
    if not tried:
        raise ValueError(f"{results.name} holds no run of {model!r}.")
    recipe = max(tried, key=lambda record: record["validation"]["accuracy"])["recipe"]
    return recipe["optimizer"], recipe["learning_rate"]


def rewrite(text: str, results: Path) -> str:
    """Return the text of a set file with the best recipes in it."""

    def replaced(match: re.Match) -> str:
        before, rate_before, name, model = match.groups()
        optimizer, rate = best_recipe(load_results(name, results), model)
        if (optimizer, rate) == (before, float(rate_before)):
            return match[0]  # 4e-3 stays 4e-3
        return (
            f'recipe = {{ optimizer = "{optimizer}", learning_rate = {rate:g} }} # the best of {name} for the {model}'
        )

    return LINE.sub(replaced, text)


def main() -> None:
    """Read the command line, and write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=Path, default=Path("experiments"), help="folder of the set files")
    parser.add_argument("--results", type=Path, default=RESULTS_FOLDER, help="folder of the records")
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    wrong = []
    for path in sorted(options.sets.glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        fresh = rewrite(text, options.results)
        if fresh != text:
            wrong.append(path.name)
            if not options.check:
                path.write_text(fresh, encoding="utf-8")
    print(f"{'Not tuned' if options.check else 'Written'}: {', '.join(wrong) or 'none'}.")
    raise SystemExit(bool(wrong) and options.check)


if __name__ == "__main__":
    main()
