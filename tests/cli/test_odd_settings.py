"""Odd values on the command line, from the text that was typed to the sentence that is said."""

import pytest

from course_utils import ViTConfig
from course_utils.cli.options import settings
from course_utils.training.recipes import Recipe

SIZE, RATE = "must be a whole number of at least 1, not", "must be a number from 0 to below 1, not"
ODD = {
    Recipe: {
        "learning_rate=abc": "learning_rate must be a number above 0, not 'abc'.",
        "learning_rate=": "learning_rate must be a number above 0, not ''.",
        "learning_rate=null": "learning_rate must be a number above 0, not None.",
        "learning_rate=true": "learning_rate must be a number above 0, not True.",
        "learning_rate=NaN": "learning_rate must be a number above 0, not nan.",
        "learning_rate=Infinity": "learning_rate must be a number above 0, not inf.",
        "learning_rate=[0.1]": "learning_rate must be a number above 0, not [0.1].",
        "batch_size=2.5": f"batch_size {SIZE} 2.5.",
        "batch_size=1e3": f"batch_size {SIZE} 1000.0.",
        'batch_size="128"': f"batch_size {SIZE} '128'.",
        "accumulate=true": f"accumulate {SIZE} True.",
        "accumulate=3": "accumulate 3 does not divide batch_size 128.",
        "optimizer=sgd": "optimizer must be 'adamw' or 'muon', not 'sgd'.",
        "optimizer=[]": "optimizer must be 'adamw' or 'muon', not [].",
        "betas=0.9": "betas must be two numbers from 0 to below 1, not 0.9.",
        "betas=ab": "betas must be two numbers from 0 to below 1, not 'ab'.",
        "betas=[0.9,null]": "betas must be two numbers from 0 to below 1, not [0.9, None].",
        'betas={"0.9":1,"1":2}': "betas must be two numbers from 0 to below 1, not {'0.9': 1, '1': 2}.",
        "flip=3": "flip must be true or false, not 3.",
        "flip=False": "flip must be true or false, not 'False'.",
        "clip_norm=NaN": "clip_norm must be a number of at least 0, not nan.",
        "weight_decay=-1": "weight_decay must be a number of at least 0, not -1.",
        "crop_padding=2.5": "crop_padding must be a whole number of at least 0, not 2.5.",
        "rand_augment_m=31": "rand_augment_m must be a whole number from 0 to 30, not 31.",
        "cutmix=true": "cutmix must be a number from 0 to 1, not True.",
        "ema=null": f"ema {RATE} None.",
        "epochs=Infinity": "epochs must be a number above 0, not inf.",
        "steps=2.5": f"steps {SIZE} 2.5.",
        "minutes=null": "A recipe has one budget: give epochs, steps or minutes, not 0 of them.",
    },
    ViTConfig: {
        "depth=true": f"depth {SIZE} True.",
        "depth=[6]": f"depth {SIZE} [6].",
        "dropout=true": f"dropout {RATE} True.",
        "dropout=": f"dropout {RATE} ''.",
        "mlp_ratio=1e308": "mlp_ratio must be a number above 0, not 1e+308.",
        "image_size=[32]": "image_size must be one whole number or two (height, width), each at least 1, not [32].",
        "patch_size=5": "patch_size 5 does not divide image_size 32x32: "
        "choose a patch_size that divides both sides, or resize the images.",
        "norm={}": "norm must be 'layernorm' or 'rmsnorm', not {}.",
        "qkv_bias=1": "qkv_bias must be true or false, not 1.",
    },
}
PRESETS = {Recipe: "half-hour", ViTConfig: "cifar_micro"}


@pytest.mark.parametrize(
    ("cls", "typed", "sentence"),
    [pytest.param(cls, *case, id=case[0]) for cls, cases in ODD.items() for case in cases.items()],
)
def test_an_odd_setting_is_answered_by_one_sentence(cls, typed, sentence):
    with pytest.raises((TypeError, ValueError)) as caught:
        cls.preset(PRESETS[cls], **settings([typed]))
    assert str(caught.value) == sentence


def test_settings_that_are_no_odd_ones_are_taken():
    typed = ["betas=[0.9,0.95]", "flip=false", "epochs=3", "learning_rate=1e-3", "optimizer=adamw"]
    recipe = Recipe.preset("half-hour", **settings(typed))
    assert (recipe.betas, recipe.flip, recipe.epochs, recipe.minutes) == ((0.9, 0.95), False, 3, None)
    assert ViTConfig.preset("cifar_micro", **settings(["image_size=[32,64]"])).image_size == (32, 64)
