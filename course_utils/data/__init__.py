"""Data for the course: CIFAR-10 and its shipped sample, augmentation, and synthetic images."""

from course_utils.data.augment import (
    Augmentation,
    mix,
    random_crop_flip,
    random_erasing,
)
from course_utils.data.cifar10 import SPLITS, cache_folder, find_cifar10, find_local, load_cifar10
from course_utils.data.download import DownloadError
from course_utils.data.image_set import ImageSet
from course_utils.data.normalisation import (
    CIFAR10_NORMALISATION,
    Normalisation,
    classes_of,
    normalisation_of,
    remember,
)
from course_utils.data.official import CIFAR10_CLASSES
from course_utils.data.rand_augment import rand_augment
from course_utils.data.synthetic import PATTERN_CLASSES, CaptionedImage, ColouredShapes, patterns

__all__ = [
    "CIFAR10_CLASSES",
    "CIFAR10_NORMALISATION",
    "PATTERN_CLASSES",
    "SPLITS",
    "Augmentation",
    "CaptionedImage",
    "ColouredShapes",
    "DownloadError",
    "ImageSet",
    "Normalisation",
    "cache_folder",
    "classes_of",
    "find_cifar10",
    "find_local",
    "load_cifar10",
    "mix",
    "normalisation_of",
    "patterns",
    "rand_augment",
    "random_crop_flip",
    "random_erasing",
    "remember",
]
