"""Take the shift test and the scramble test of weights that ship, on the whole test set, and record them.

    python tools/measure_moved.py cifar_cnn cifar_micro

The record is one file, which ``course_utils.experiments.trained.moved_pictures`` reads. Names that are not given keep
what is recorded of them.
"""

from __future__ import annotations

import argparse

from course_utils.analysis.invariance import scramble_test, shift_test
from course_utils.data import load_cifar10
from course_utils.experiments.results import read_result
from course_utils.experiments.trained import MOVED_RECORD
from course_utils.support import environment
from course_utils.support.devices import pick_device
from course_utils.support.files import write_json
from course_utils.zoo.weights import load_pretrained


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", help="of weights that ship")
    parser.add_argument("--root", help="folder of CIFAR-10 (default: $CIFAR10_ROOT, data/, the cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--precision", default="fp32", help="fp32 or bf16, which may change a few answers in 10,000")
    options = parser.parse_args()
    device = pick_device(options.device)
    test_set = load_cifar10("test", options.root, "never")
    found = read_result(MOVED_RECORD) if MOVED_RECORD.exists() else {}
    for name in options.names:
        model = load_pretrained(name).to(device)
        found[name] = {
            "shift": shift_test(model, test_set.images, test_set.labels, precision=options.precision),
            "scramble": scramble_test(model, test_set.images, test_set.labels, precision=options.precision),
            "precision": options.precision,
            "data": test_set.describe(),
            "command": environment.command_line(),
            "written": environment.now(),
            "environment": environment.describe(device),
        }
        write_json(MOVED_RECORD, found)
        print(f"{name}: written to {MOVED_RECORD}", flush=True)


if __name__ == "__main__":
    main()
