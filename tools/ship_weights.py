"""Put the weights of a finished run into the package, where ``load_pretrained`` finds them.

    python tools/ship_weights.py runs/cifar_micro            # under the name of the run's folder
    python tools/ship_weights.py runs/mine --name cifar_deep

They are stored in half precision if the recorded test accuracy holds to the digit, else as they are. Snapshots of the
run, if it kept any, come along.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from course_utils.analysis.evaluation import accuracy, predict
from course_utils.analysis.snapshots import RESULTS_FOLDER
from course_utils.data import load_cifar10
from course_utils.zoo.weights import PRETRAINED_FOLDER, load_weights, read_record, save_weights


def main() -> None:
    """Read the command line and ship."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--name", help="of the weights in the package (default: the folder's)")
    parser.add_argument("--root", help="folder of CIFAR-10 (default: $CIFAR10_ROOT, data/, the cache)")
    options = parser.parse_args()
    name = options.name or options.run.resolve().name
    source, target = options.run / "weights.safetensors", PRETRAINED_FOLDER / f"{name}.safetensors"

    model, record = load_weights(source), read_record(source)
    test_set = load_cifar10("test", options.root, "never")
    if record["test"]["data"] != test_set.describe():
        raise SystemExit(f"error: {source} was not tested on {test_set.description}: only such a run is shipped.")

    with tempfile.TemporaryDirectory() as folder:
        rounded = Path(folder) / "half.safetensors"
        save_weights(model, rounded, record, half=True)
        normalisation = record["normalisation"]
        logits = predict(load_weights(rounded), test_set.images, normalisation["mean"], normalisation["std"])
    found, recorded = accuracy(logits, test_set.labels), record["test"]["last_weights"]["accuracy"]
    save_weights(model, target, record, half=found == recorded)
    print(f"recorded: {recorded:.2%}; in half precision: {found:.2%}")
    print(f"Written to {target}: {target.stat().st_size:,} bytes.")
    if (options.run / "snapshots.safetensors").exists():
        shutil.copyfile(options.run / "snapshots.safetensors", RESULTS_FOLDER / f"{name}_snapshots.safetensors")


if __name__ == "__main__":
    main()
