"""Put the weights that an experiment trained into the package, where ``load_pretrained`` finds them.

    python tools/ship_experiment.py flexivit_long FlexiViT --name cifar_flexi

The run must be recorded, and its checkpoint must still lie in the folder of the runs. The weights are stored in half
precision; the test figures in their record are those of the rounded weights, on the whole test set and on the sample.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

from course_utils.analysis.evaluation import evaluate, predict
from course_utils.analysis.snapshots import RESULTS_FOLDER
from course_utils.data import load_cifar10, remember
from course_utils.data.normalisation import Normalisation
from course_utils.experiments.results import read_result
from course_utils.experiments.runner import record_path, state_of
from course_utils.experiments.sets import FOLDER, load_set
from course_utils.training.checkpoints import find_checkpoint, load_checkpoint
from course_utils.zoo.kinds import KINDS
from course_utils.zoo.weights import PRETRAINED_FOLDER, save_weights


def main() -> None:
    """Read the command line and ship."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", help="name of the experiment set")
    parser.add_argument("variant", help="as the set calls it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", required=True, help="of the weights in the package")
    parser.add_argument("--sets", type=Path, default=FOLDER, help="folder of the set files")
    parser.add_argument("--results", type=Path, default=RESULTS_FOLDER, help="folder of the records")
    parser.add_argument("--runs", type=Path, default=Path("runs/experiments"), help="folder of the checkpoints")
    parser.add_argument("--weights", type=Path, default=PRETRAINED_FOLDER, help="where the file is put")
    parser.add_argument("--root", help="folder of CIFAR-10 (default: $CIFAR10_ROOT, data/, the cache)")
    options = parser.parse_args()

    asked = (options.variant, options.seed)
    runs = [run for run in load_set(options.sets / f"{options.set}.toml").runs if (run.variant, run.seed) == asked]
    if not runs:
        raise SystemExit(f"error: {options.set} has no variant {options.variant!r} with seed {options.seed}.")
    run = runs[0]
    state, why = state_of(run, options.results)
    if state != "recorded":
        raise SystemExit(f"error: this run is {state}, not recorded {'; '.join(why)}".rstrip())
    record = read_result(record_path(options.results, run))
    folder = options.runs / f"{run.kind}-seed{run.seed}-{run.digest}"
    checkpoint = find_checkpoint(folder)
    if checkpoint is None:
        raise SystemExit(f"error: there is no checkpoint in {folder}.")
    owners, progress = load_checkpoint(checkpoint)
    if progress["step"] != record["total_steps"]:
        raise SystemExit(f"error: {checkpoint} is of step {progress['step']} of {record['total_steps']}.")

    model = KINDS[run.kind].make(run.config)
    model.load_state_dict(owners["model"])
    remember(model, Normalisation(**record["normalisation"]), record["data"]["classes"])
    rounded = copy.deepcopy(model).half().float().eval()
    source = "always" if run.source == "sample" else "never"
    test_set, sample = load_cifar10("test", options.root, source), load_cifar10("test", sample="always")
    test = {"data": test_set.describe(), "of_experiment": record["test"]}
    for part, images in (("last_weights", test_set), ("last_weights_on_sample", sample)):
        test[part] = evaluate(predict(rounded, images.images), images.labels, images.classes)
    target = options.weights / f"{options.name}.safetensors"
    save_weights(model, target, record | {"test": test})
    before, after = record["test"]["accuracy"], test["last_weights"]["accuracy"]
    on_sample = test["last_weights_on_sample"]["accuracy"]
    print(f"recorded: {before:.2%}; in half precision: {after:.2%}, and {on_sample:.1%} of the sample.")
    print(f"Written to {target}: {target.stat().st_size:,} bytes.")


if __name__ == "__main__":
    main()
