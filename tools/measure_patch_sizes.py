"""Measure the weights that ship with patches of other sizes, on the whole test set, and record it.

    python tools/measure_patch_sizes.py --device cuda

Each Vision Transformer is resized by ``with_patch_size``; nothing is trained anew. The record is one file, which
``course_utils.experiments.trained.accuracy_by_patch_size`` reads.
"""

from __future__ import annotations

import argparse

from course_utils.analysis.evaluation import accuracy, predict
from course_utils.beyond.flexivit import PATCH_SIZES, FlexiViT
from course_utils.data import load_cifar10
from course_utils.experiments.trained import PATCH_SIZE_RECORD
from course_utils.model.vit import VisionTransformer
from course_utils.support import environment
from course_utils.support.devices import pick_device
from course_utils.support.files import write_json
from course_utils.zoo.weights import load_pretrained, pretrained_names


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", help="folder of CIFAR-10 (default: $CIFAR10_ROOT, data/, the cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--precision", default="fp32", help="fp32 or bf16")
    options = parser.parse_args()
    device = pick_device(options.device)
    test_set = load_cifar10("test", options.root, "never")
    found = {}
    for name in pretrained_names():
        model = load_pretrained(name)
        if not isinstance(model, (VisionTransformer, FlexiViT)):
            continue
        found[name] = {}
        for patch_size in PATCH_SIZES:
            resized = model.with_patch_size(patch_size).to(device)
            logits = predict(resized, test_set.images, precision=options.precision)  # (N, K)
            found[name][str(patch_size)] = accuracy(logits, test_set.labels)
            print(f"{name}, patches of {patch_size}: {found[name][str(patch_size)]:.2%}", flush=True)
    record = {
        "command": environment.command_line(),
        "written": environment.now(),
        "data": test_set.describe(),
        "environment": environment.describe(device),
        "precision": options.precision,
        "accuracy": found,
    }
    write_json(PATCH_SIZE_RECORD, record)


if __name__ == "__main__":
    main()
