"""Experiments: sets of training runs that stand in a file each, one runner for all of them, and their records.

``experiments/NAME.toml`` says what is asked; ``python -m course_utils experiments run`` carries out what is missing;
``course_utils.experiments.results`` reads what came out.
"""
