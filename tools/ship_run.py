"""Put what a run of an experiment has learned without labels into the package, where ``load_weights`` finds it by name.

    python tools/ship_run.py dino "centring and sharpening" --name dino_encoder
    python tools/ship_run.py masked "pixels as targets" --name mae_pixels --whole

The encoder is stored, or with --whole the whole model; in half precision, with the run's record. Beside that stands a
figure of the rounded weights on the sample that ships ("on_sample"), which a test compares.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

from torch import nn

from course_utils.analysis.evaluation import accuracy
from course_utils.analysis.probes import features_of, knn
from course_utils.analysis.snapshots import RESULTS_FOLDER
from course_utils.beyond.masked import MaskedAutoencoder, loss_on
from course_utils.data import load_cifar10, remember
from course_utils.experiments.results import read_result
from course_utils.experiments.runner import record_path, trained_model
from course_utils.experiments.sets import load_set
from course_utils.zoo.weights import ENCODERS_FOLDER, save_weights


def main() -> None:
    """Read the command line and ship."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", help="name of the experiment set")
    parser.add_argument("variant")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", required=True, help="of the weights in the package")
    parser.add_argument("--whole", action="store_true", help="keep all of the model, not the encoder alone")
    parser.add_argument("--sets", type=Path, default=Path("experiments"), help="folder of the set files")
    parser.add_argument("--runs", type=Path, default=Path("runs/experiments"), help="where the checkpoints are")
    parser.add_argument("--results", type=Path, default=RESULTS_FOLDER, help="folder of the records")
    parser.add_argument("--out", type=Path, default=ENCODERS_FOLDER, help="where to write")
    options = parser.parse_args()

    runs = load_set(options.sets / f"{options.set}.toml").runs
    run = next((each for each in runs if (each.variant, each.seed) == (options.variant, options.seed)), None)
    if run is None:
        raise SystemExit(f"error: the set has no variant {options.variant!r} with seed {options.seed}.")
    trained = trained_model(run, options.runs)
    model: nn.Module = trained if options.whole else trained.backbone  # type: ignore[assignment]
    remember(model, trained.normalisation, None)  # type: ignore[arg-type]
    record = read_result(record_path(options.results, run)) | {"on_sample": on_sample(model)}
    target = options.out / f"{options.name}.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    save_weights(model, target, record)
    print(f"On the sample: {record['on_sample']}. Written to {target}: {target.stat().st_size:,} bytes.")


def on_sample(model: nn.Module) -> dict[str, float]:
    """Return what a model of rounded weights does with the sample that ships.

    A masked autoencoder: "loss" on the test images. An encoder: "knn_accuracy" there, by the training images.
    """
    rounded = copy.deepcopy(model).half().float().eval()
    remember(rounded, model.normalisation, None)  # type: ignore[arg-type]
    known, asked = (load_cifar10(split, sample="always") for split in ("train", "test"))
    if isinstance(rounded, MaskedAutoencoder):
        return {"loss": loss_on(rounded, asked)}
    votes = knn(features_of(rounded, known.images), known.labels, features_of(rounded, asked.images))  # (N, K)
    return {"knn_accuracy": accuracy(votes, asked.labels)}


if __name__ == "__main__":
    main()
