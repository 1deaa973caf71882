"""``bench``: our speed beside that of the libraries."""

from __future__ import annotations

import argparse
import sys

from course_utils.cli.options import Commands, add_command, with_device


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    command = add_command(
        commands, bench, "bench", "bench --model cifar_micro --batch-size 64 --rounds 20", "bench --compile"
    )
    with_device(command)
    command.add_argument("--model", default="cifar_small", help="a preset of ViTConfig")
    command.add_argument("--batch-size", type=int, default=128)
    command.add_argument("--rounds", type=int, default=10)
    command.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    command.add_argument("--compile", action="store_true", help="compile all models")
    command.add_argument("--out", help="write every measurement to this JSON file")


def bench(options: argparse.Namespace) -> int:
    """Time our ViT beside the libraries' ViTs."""
    from course_utils.experiments import bench as speed
    from course_utils.model.config import ViTConfig
    from course_utils.support import environment
    from course_utils.support.devices import pick_device, pick_precision
    from course_utils.support.files import write_json

    device = pick_device(options.device)
    precision = pick_precision(options.precision, device)
    config = ViTConfig.preset(options.model)
    results = speed.benchmark(
        config,
        batch_size=options.batch_size,
        precision=precision,
        device=device,
        rounds=options.rounds,
        compile_models=options.compile,
        report=lambda line: print(line, file=sys.stderr),
    )
    absent = sorted({each.package for each in speed.CONTESTANTS} - {each.package for each in speed.installed()})
    print(f"{options.model}, batch {options.batch_size}, {precision}, {environment.device_name(device)}, "
          f"compiled: {'yes' if options.compile else 'no'}, rounds: {options.rounds}")  # fmt: skip
    print(speed.as_table(results, config))
    if absent:
        print(f"Not installed, so not measured: {', '.join(absent)}. pip install '.[bench]' brings them.")
    if options.out:
        what = {
            "command": environment.command_line(),
            "written": environment.now(),
            "environment": environment.describe(device),
        }
        write_json(options.out, what | {"precision": precision, "results": results})
    return 0
