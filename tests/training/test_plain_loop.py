"""A training is nothing but a loop of a dozen lines, written here once more: the same weights to the last bit."""

import math

import pytest
import torch
import torch.nn.functional as F
from tiny_training import CONFIG, make_images, make_trainer

from course_utils import VisionTransformer
from course_utils.training.recipes import Recipe
from course_utils.training.stream import BatchStream, seed_step

CHANGES = [
    {},
    {"cutmix": 0.5, "mixup": 0.5, "unmixed": 0.4, "erasing": 0.3, "rand_augment_n": 1},
    {"clip_norm": 0.0, "warmup": 0.0, "label_smoothing": 0.0, "weight_decay": 0.5},
]


@pytest.mark.parametrize("changes", CHANGES, ids=["usual", "mixed", "bare"])
def test_the_trainer_takes_the_steps_of_a_plain_loop(changes):
    recipe = Recipe(steps=12, batch_size=10, warmup=0.25, crop_padding=1, clip_norm=0.5, learning_rate=2e-3)
    recipe = recipe.replace(**changes)
    trainer = make_trainer(recipe, seed=3)
    trainer.fit()

    torch.manual_seed(0)
    model = VisionTransformer(CONFIG).train()
    stream = BatchStream(make_images(), recipe, 3, torch.device("cpu"))
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and name.endswith("weight")]
    others = [p for p in model.parameters() if all(p is not matrix for matrix in matrices)]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.999), fused=True)
    warm = round(recipe.warmup * 12)
    for step in range(12):
        images, targets = stream.batch(step, mixing=step < (1 - recipe.unmixed) * 12)
        if step < warm:
            rate = 2e-3 * (step + 1) / warm
        else:
            rate = 1e-5 + (2e-3 - 1e-5) * 0.5 * (1 + math.cos(math.pi * ((step - warm) / (11 - warm))))
        for group in optimizer.param_groups:
            group["lr"] = rate
        seed_step(3, step, "model 0")  # of dropout
        F.cross_entropy(model(images), targets, label_smoothing=recipe.label_smoothing).backward()
        if recipe.clip_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimizer.step()
        optimizer.zero_grad()

    for name, value in model.state_dict().items():
        assert torch.equal(value, trainer.model.state_dict()[name]), name
