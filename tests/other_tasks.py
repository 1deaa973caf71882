"""Tasks that the course does not have, to prove the door: what a task has to bring, and what it gets for nothing."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.analysis.evaluation import predict
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.support.settings import Rate, Settings, Size
from course_utils.training.stream import seed_step
from course_utils.training.tasks import Classification, Task


class Distillation(Classification):
    """Learn the soft answers of a teacher."""

    name = "distillation"

    def __init__(self, train_set, validation_set=None, temperature=2.0):
        super().__init__(train_set, validation_set)
        self.temperature = temperature
        channels = train_set.images.shape[1]
        with torch.random.fork_rng():
            torch.manual_seed(99)
            config = CNNConfig(in_channels=channels, num_classes=len(train_set.classes), width=4, stages=2)
            self.teacher = SmallCNN(config).eval().requires_grad_(False)
        self.teacher.head.weight *= 30  # it is sure of what it says

    def loss(self, model, *batch):
        images, _ = batch
        log_shares = F.log_softmax(model(images).float() / self.temperature, dim=1)
        wanted = (self.teacher(images) / self.temperature).softmax(dim=1)
        agreement = (log_shares.argmax(dim=1) == wanted.argmax(dim=1)).float().mean()
        return {"loss": F.kl_div(log_shares, wanted, reduction="batchmean"), "agreement": agreement}

    def figures(self, model, images, precision="fp32"):
        answers = predict(model, images.images, precision=precision)
        taught = predict(self.teacher, images.normalisation(images.images))
        return {"agreement": (answers.argmax(dim=1) == taught.argmax(dim=1)).float().mean().item()}

    def describe(self):
        return super().describe() | {"task": {"name": self.name, "temperature": self.temperature}}


@dataclass(frozen=True)
class PainterConfig(Settings):
    width: Size = 8
    dropout: Rate = 0.1


class Painter(nn.Module):
    """Images with holes to images without: (B, 3, H, W) to (B, 3, H, W)."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.layers = nn.Sequential(
            nn.Conv2d(3, config.width, 3, padding=1),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Conv2d(config.width, 3, 3, padding=1),
        )

    def forward(self, images):
        return self.layers(images)


class MaskedPixels(Task):
    """Paint half of the pixels, from the other half."""

    name = "masked_pixels"

    def prepare(self, model, recipe, seed, device):
        super().prepare(model, recipe, seed, device)
        self.seed = seed

    def batch(self, step, mixing):
        images, _ = super().batch(step, mixing=False)
        seed_step(self.seed, step, "mask")
        return images, torch.rand(len(images), 1, *images.shape[2:]) < 0.5

    def loss(self, model, *batch):
        images, hidden = batch
        return {"loss": self.error(model, images, hidden), "hidden": hidden.float().mean()}

    def figures(self, model, images, precision="fp32"):
        pixels = model.normalisation(images.images)
        hidden = torch.zeros(len(pixels), 1, *pixels.shape[2:], dtype=torch.bool)
        hidden[..., ::2] = True
        training = model.training
        with torch.no_grad():
            error = self.error(model.eval(), pixels, hidden).item()
        model.train(training)
        return {"error": error}

    @staticmethod
    def error(model, images, hidden):
        painted = model(images.masked_fill(hidden, 0))
        return (((painted - images) ** 2).mean(dim=1, keepdim=True) * hidden).mean()


class MeanTeacher(Classification):
    """Learn classes, and what a moving average of the model itself says. The average is the task's own state."""

    name = "mean_teacher"

    def prepare(self, model, recipe, seed, device):
        super().prepare(model, recipe, seed, device)
        self.teacher = copy.deepcopy(model).eval().requires_grad_(False)

    def loss(self, model, *batch):
        images, targets = batch
        logits = model(images).float()
        distance = F.mse_loss(logits, self.teacher(images).float())
        return {"loss": F.cross_entropy(logits, targets) + distance, "distance": distance.detach()}

    def after_step(self, model, step):
        with torch.no_grad():
            for slow, fast in zip(self.teacher.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, 0.2)

    def state(self):
        return self.teacher.state_dict()

    def load_state(self, state):
        self.teacher.load_state_dict(state)
