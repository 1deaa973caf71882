"""The model of the runs that are made through the command line."""

TINY = [f"--model-set={setting}" for setting in ("embed_dim=16", "depth=1", "num_heads=2", "patch_size=8")]
