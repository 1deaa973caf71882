"""Speed, measured side by side: our ViT and the libraries' ViTs on the same configuration, batch, dtype and machine.

All contestants run in turn, round after round, so that a machine that slows down slows all of them. What counts are the
ratios within a round; their median and spread are printed. One optimiser (fused AdamW) serves all.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.experiments.timing import Work, work_of
from course_utils.model.attention import Implementation, set_attention_implementation
from course_utils.model.config import ViTConfig
from course_utils.model.counting import count_multiply_adds
from course_utils.model.vit import VisionTransformer
from course_utils.support.devices import matmul_rate, synchronize


@dataclass(frozen=True)
class Contestant:
    """One way to make a ViT.

    Attributes:
        name: What the table shows.
        package: What must be installed.
        make: From the config to a module that maps images (B, C, H, W) to logits (B, K).
    """

    name: str
    package: str
    make: Callable[[ViTConfig], nn.Module]


def _ours(implementation: Implementation) -> Callable[[ViTConfig], nn.Module]:
    def make(config: ViTConfig) -> nn.Module:
        model = VisionTransformer(config)
        set_attention_implementation(model, implementation)
        return model

    return make


def _timm(fused: bool) -> Callable[[ViTConfig], nn.Module]:
    def make(config: ViTConfig) -> nn.Module:
        from timm.models.vision_transformer import VisionTransformer as Timm

        model = Timm(
            img_size=config.image_size,
            patch_size=config.patch_size,
            num_classes=config.num_classes,
            embed_dim=config.embed_dim,
            depth=config.depth,
            num_heads=config.num_heads,
            mlp_ratio=config.mlp_ratio,
        )
        for block in model.blocks:
            block.attn.fused_attn = fused
        return model

    return make


def _torchvision(config: ViTConfig) -> nn.Module:
    from torchvision.models import VisionTransformer as Torchvision

    return Torchvision(
        image_size=config.image_size,
        patch_size=config.patch_size,
        num_layers=config.depth,
        num_heads=config.num_heads,
        hidden_dim=config.embed_dim,
        mlp_dim=config.mlp_hidden_dim,
        num_classes=config.num_classes,
    )


def _vit_pytorch(config: ViTConfig) -> nn.Module:
    from vit_pytorch import ViT

    return ViT(
        image_size=config.image_size,
        patch_size=config.patch_size,
        num_classes=config.num_classes,
        dim=config.embed_dim,
        depth=config.depth,
        heads=config.num_heads,
        dim_head=config.head_dim,
        mlp_dim=config.mlp_hidden_dim,
    )


class _Logits(nn.Module):
    """Take the logits out of the output object of transformers' models."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images).logits


def _transformers(attention: str) -> Callable[[ViTConfig], nn.Module]:
    def make(config: ViTConfig) -> nn.Module:
        from transformers import ViTConfig as TransformersConfig
        from transformers import ViTForImageClassification

        settings = TransformersConfig(
            image_size=config.image_size,
            patch_size=config.patch_size,
            num_labels=config.num_classes,
            hidden_size=config.embed_dim,
            num_hidden_layers=config.depth,
            num_attention_heads=config.num_heads,
            intermediate_size=config.mlp_hidden_dim,
            attn_implementation=attention,
        )
        return _Logits(ViTForImageClassification(settings))

    return make


# Ours at its default is the measure. A peer's first line is its default; further lines are its other settings.
CONTESTANTS = (
    Contestant("ours", "torch", _ours("auto")),
    Contestant("ours, written out", "torch", _ours("written_out")),
    Contestant("ours, sdpa", "torch", _ours("sdpa")),
    Contestant("timm", "timm", _timm(fused=True)),
    Contestant("timm, not fused", "timm", _timm(fused=False)),
    Contestant("torchvision", "torchvision", _torchvision),
    Contestant("vit-pytorch", "vit_pytorch", _vit_pytorch),
    Contestant("transformers", "transformers", _transformers("sdpa")),
    Contestant("transformers, eager", "transformers", _transformers("eager")),
)


def installed(contestants: tuple[Contestant, ...] = CONTESTANTS) -> list[Contestant]:
    """Return the contestants whose package is there."""
    return [contestant for contestant in contestants if importlib.util.find_spec(contestant.package) is not None]


def benchmark(
    config: ViTConfig,
    *,
    batch_size: int,
    precision: str,
    device: torch.device,
    rounds: int,
    compile_models: bool = False,
    report: Callable[[str], None] = print,
) -> dict[str, dict[str, list[float]]]:
    """Measure images a second of a training step and of inference, for all contestants in turn.

    Args:
        config: The model.
        batch_size: Images in a step.
        precision: "fp32" or "bf16" (autocast).
        device: Where to run.
        rounds: How often each contestant has its turn.
        compile_models: Whether all go through ``torch.compile``.
        report: Called with each line of progress.

    Returns:
        Contestant -> {"train": [images a second, one for each round], "inference": [...]}, and under "matrix product"
        the best rate of a large matrix product in each round, {"rate": [floating-point operations a second]}.
    """
    images = torch.randn(batch_size, config.in_channels, config.image_height, config.image_width, device=device)
    labels = torch.randint(config.num_classes, (batch_size,), device=device)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    runners: dict[str, Work] = {}
    for contestant in installed():
        torch.manual_seed(0)
        model = contestant.make(config).to(device)
        runners[contestant.name] = work_of(model, images, labels, precision, compile_models)
        report(f"made {contestant.name}")
    results: dict[str, dict[str, list[float]]] = {name: {"train": [], "inference": []} for name in runners}
    results["matrix product"] = {"rate": []}
    for number in range(rounds + 1):  # the first round warms up
        rate = matmul_rate(dtype, device)
        for name, work in runners.items():
            for kind, run in (("train", work.train), ("inference", work.infer)):
                synchronize(device)
                start = time.perf_counter()
                run()
                synchronize(device)
                if number:
                    results[name][kind].append(batch_size / (time.perf_counter() - start))
        if number:
            results["matrix product"]["rate"].append(rate)
            report(f"round {number} of {rounds}")
    return results


def as_table(results: dict[str, dict[str, list[float]]], config: ViTConfig) -> str:
    """Write the results as a Markdown table: images a second, ours over theirs, share of the matrix-product rate.

    A ratio above 1 says that ours is faster. Ratios are taken round by round: median (smallest to largest).
    """
    operations = 2 * sum(count_multiply_adds(config).values())  # of one image's forward pass
    rates = results["matrix product"]["rate"]
    lines = [
        "| model | train img/s | ours / it | inference img/s | ours / it | train step: share of matrix-product rate |",
        "|---|---|---|---|---|---|",
    ]
    for name, measured in results.items():
        if name == "matrix product":
            continue
        share = statistics.median(
            3 * operations * speed / rate for speed, rate in zip(measured["train"], rates, strict=True)
        )
        cells = [name]
        for kind in ("train", "inference"):
            ratios = [a / b for a, b in zip(results["ours"][kind], measured[kind], strict=True)]
            cells.append(f"{statistics.median(measured[kind]):.0f}")
            cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        lines.append("| " + " | ".join([*cells, f"{share:.0%}"]) + " |")
    lines.append("")
    lines.append(f"Matrix product, 1024 x 1024: {statistics.median(rates) / 1e9:.0f} GFLOP/s in the same format.")
    return "\n".join(lines)
