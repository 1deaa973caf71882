"""Two processes under torchrun learn what one process learns."""

import textwrap
from pathlib import Path

import pytest
from tiny_training import torchrun

SCRIPT = """
    import json, sys, torch
    sys.path.insert(0, {tests!r})
    from tiny_training import make_images
    from course_utils import ViTConfig, VisionTransformer
    from course_utils.training import distributed
    from course_utils.training.recipes import Recipe
    from course_utils.training.tasks import Classification
    from course_utils.training.trainer import Trainer

    torch.set_num_threads(1)
    with distributed.process_group():
        torch.manual_seed(distributed.rank())  # DistributedDataParallel must bring the weights into step
        config = ViTConfig(image_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=4)
        recipe = Recipe(epochs=4, batch_size=12, accumulate={accumulate}, crop_padding=1, cutmix=0.5, erasing=0.3,
                        optimizer="muon", early_patch_size=8, early=0.5)
        task = Classification(make_images(), make_images(20, seed=1))
        trainer = Trainer(VisionTransformer(config), task, recipe, device="cpu",
                          precision="fp32", run_dir={run_dir!r}, show_progress=False)
        trainer.fit()
"""


def losses(tmp_path: Path, processes: int, accumulate: int) -> list[float]:
    run_dir = tmp_path / f"{processes}-{accumulate}"
    script = tmp_path / f"train_{processes}_{accumulate}.py"
    tests = str(Path(__file__).parents[1])
    script.write_text(textwrap.dedent(SCRIPT).format(tests=tests, run_dir=str(run_dir), accumulate=accumulate))
    record = torchrun(script, processes, run_dir)
    return [entry["train_loss"] for entry in record["epochs"]] + [record["epochs"][-1]["validation_loss"]]


def test_two_processes_give_the_loss_curve_of_one(tmp_path):
    alone = losses(tmp_path, 1, 1)
    assert len(alone) == 5
    assert losses(tmp_path, 2, 1) == pytest.approx(alone, rel=1e-4)
    assert losses(tmp_path, 2, 3) == pytest.approx(alone, rel=1e-4)
