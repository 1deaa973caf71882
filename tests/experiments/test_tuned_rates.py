"""The optimiser and the rate that a set uses are those that its tuning set found best."""

import json
import runpy
from pathlib import Path

import pytest

from course_utils.analysis.snapshots import RESULTS_FOLDER

ROOT = Path(__file__).parents[2]
TOOL = runpy.run_path(str(ROOT / "tools" / "tuned_rates.py"))
SET = """[variants."CNN, 500"]
recipe = { optimizer = "muon", learning_rate = 4e-3 } # the best of rates for the CNN
other = { recipe.learning_rate = 4e-3 }
"""


def write_record(folder, variant, optimizer, rate, accuracy, status="finished"):
    (folder / "rates").mkdir(exist_ok=True)
    recipe = {"optimizer": optimizer, "learning_rate": rate}
    content = {"variant": variant, "status": status, "recipe": recipe, "place": 0, "seed": 0}
    if status == "finished":
        content["validation"] = {"accuracy": accuracy}
    (folder / "rates" / f"{optimizer}{rate}{variant[:3]}.json").write_text(json.dumps(content))


def test_the_best_on_validation_is_written(tmp_path):
    write_record(tmp_path, "CNN, Muon 8e-3", "muon", 8e-3, 0.7)
    write_record(tmp_path, "CNN, AdamW 1e-3", "adamw", 1e-3, 0.71)
    write_record(tmp_path, "CNN, AdamW 1", "adamw", 1.0, None, status="diverged")
    write_record(tmp_path, "ViT, Muon 2e-3", "muon", 2e-3, 0.9)
    found = TOOL["rewrite"](SET, tmp_path)
    assert found == SET.replace('"muon", learning_rate = 4e-3 } #', '"adamw", learning_rate = 0.001 } #')
    assert TOOL["rewrite"](found, tmp_path) == found
    with pytest.raises(ValueError, match="rates holds no run of 'RNN'"):
        TOOL["rewrite"](SET.replace("for the CNN", "for the RNN"), tmp_path)


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.toml")), ids=lambda path: path.stem)
def test_every_set_has_the_rates_that_were_found(path):
    text = path.read_text(encoding="utf-8")
    named = {match[3] for match in TOOL["LINE"].finditer(text)}
    if not all((RESULTS_FOLDER / name).exists() for name in named):
        pytest.skip("its tuning set is not recorded yet")
    assert TOOL["rewrite"](text, RESULTS_FOLDER) == text
