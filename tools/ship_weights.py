"""Put the weights of a finished run into the package, where ``load_pretrained`` finds them.

    python tools/ship_weights.py runs/cifar_micro            # under the name of the run's folder
    python tools/ship_weights.py runs/mine --name cifar_deep
    python tools/ship_weights.py mine.safetensors            # a weights file; under its own name
    python tools/ship_weights.py runs/mine --moved           # also what shifts and scrambling do to it, on the test set

They are stored in half precision, and the test figures in their record are those of the rounded weights: on the whole
test set, and on the sample that ships. Snapshots of the run, if it kept any, come along.
"""

from __future__ import annotations

import argparse
import copy
import shutil
from pathlib import Path

from course_utils.analysis.evaluation import evaluate, predict
from course_utils.analysis.invariance import scramble_test, shift_test
from course_utils.analysis.snapshots import RESULTS_FOLDER
from course_utils.data import load_cifar10
from course_utils.zoo.weights import PRETRAINED_FOLDER, load_weights, read_record, save_weights


def main() -> None:
    """Read the command line and ship."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run, or a weights file")
    parser.add_argument("--name", help="of the weights in the package (default: the folder's, or the file's)")
    parser.add_argument("--moved", action="store_true", help="record the shift test and the scramble test, minutes")
    parser.add_argument("--root", help="folder of CIFAR-10 (default: $CIFAR10_ROOT, data/, the cache)")
    options = parser.parse_args()
    name = options.name or options.run.resolve().stem
    source = options.run / "weights.safetensors" if options.run.is_dir() else options.run
    target = PRETRAINED_FOLDER / f"{name}.safetensors"

    model, record = load_weights(source), read_record(source)
    test_set, sample = load_cifar10("test", options.root, "never"), load_cifar10("test", sample="always")
    if record["test"]["data"] != test_set.describe():
        raise SystemExit(f"error: {source} was not tested on {test_set.description}: only such a run is shipped.")

    rounded = copy.deepcopy(model).half().float()
    test = dict(record["test"])
    for part, images in (("last_weights", test_set), ("last_weights_on_sample", sample)):
        test[part] = evaluate(predict(rounded, images.images), images.labels, images.classes)
    if options.moved:
        for measure in (shift_test, scramble_test):
            test[measure.__name__] = measure(rounded, test_set.images, test_set.labels)
    save_weights(model, target, record | {"test": test})
    before = record["test"]["last_weights"]["accuracy"]
    after, of_sample = test["last_weights"]["accuracy"], test["last_weights_on_sample"]["accuracy"]
    print(f"recorded: {before:.2%}; in half precision: {after:.2%}, and {of_sample:.1%} of the sample.")
    print(f"Written to {target}: {target.stat().st_size:,} bytes.")
    snapshots = source.parent / "snapshots.safetensors"
    if snapshots.exists():
        shutil.copyfile(snapshots, RESULTS_FOLDER / f"{name}_snapshots.safetensors")


if __name__ == "__main__":
    main()
