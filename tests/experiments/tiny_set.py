"""A set of two variants with two seeds on the shipped sample, and the command that carries it out."""

from course_utils.cli import main

SET = """
title = "Tiny"
question = "Does it work?"
order = 1
minutes = 1
seeds = [0, 1]
measure = ["position_similarity", "attention_distance"]
track = ["attention_entropy"]

[model]
patch_size = 16
embed_dim = 16
depth = 2
num_heads = 2

[recipe]
epochs = 2
batch_size = 25
learning_rate = 0.02

[data]
source = "sample"
images = 50

[variants]
"plain" = {}
"wide | warm" = { model.embed_dim = 32, recipe.warmup = 0.5 }
"""


def run_set(folder, *more):
    """Carry out the sets of a folder through the command line."""
    where = ["--sets", str(folder), "--results", str(folder / "results"), "--runs", str(folder / "runs")]
    return main(["experiments", "run", *more, *where, "--device", "cpu", "--precision", "fp32"])
