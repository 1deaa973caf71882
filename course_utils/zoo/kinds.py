"""Every kind of model, and every task, by name: what a weights file or an experiment can ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.beyond.conv_stem import ConvStemConfig, ConvStemViT
from course_utils.beyond.dino import Dino, DinoConfig
from course_utils.beyond.distillation import Distillation, DistilledConfig, DistilledViT
from course_utils.beyond.flexivit import EveryPatchSize, FlexiClassification, FlexiViT, FlexiViTConfig
from course_utils.beyond.masked import MaskedAutoencoder, MaskedConfig, MaskedImages
from course_utils.beyond.self_distillation import SelfDistillation
from course_utils.beyond.swin import SwinConfig, SwinTransformer
from course_utils.model.config import ViTConfig
from course_utils.model.vit import VisionTransformer
from course_utils.support.settings import Settings
from course_utils.training.tasks import Classification, Task


@dataclass(frozen=True)
class ModelKind:
    """One kind of model.

    Attributes:
        config: The class of its settings.
        make: The class of the model. It takes the settings, and holds them as ``config``.
        backbone: How the names of those weights begin with which another training starts, if they are a model inside
            this one: an ordinary Vision Transformer, which the model's ``backbone`` returns.
    """

    config: type[Settings]
    make: Callable[[Any], nn.Module]
    backbone: str = ""


# A new kind of model, or a new task, needs one line here.
KINDS: dict[str, ModelKind] = {
    "vit": ModelKind(ViTConfig, VisionTransformer),
    "conv_stem_vit": ModelKind(ConvStemConfig, ConvStemViT),
    "cnn": ModelKind(CNNConfig, SmallCNN),
    "flexi_vit": ModelKind(FlexiViTConfig, FlexiViT),
    "swin": ModelKind(SwinConfig, SwinTransformer),
    "distilled_vit": ModelKind(DistilledConfig, DistilledViT),
    "masked": ModelKind(MaskedConfig, MaskedAutoencoder, backbone="encoder."),
    "dino": ModelKind(DinoConfig, Dino, backbone="teacher.encoder."),
}
TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        Classification,
        EveryPatchSize,
        FlexiClassification,
        Distillation,
        MaskedImages,
        SelfDistillation,
    )
}
