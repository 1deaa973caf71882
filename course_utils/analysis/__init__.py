"""Lessons 06 (training) and 07 (attention_maps): what came out of a training, in figures, maps and snapshots."""
