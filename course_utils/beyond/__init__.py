"""Lesson 8: models that stand beside the plain Vision Transformer, for comparisons on equal terms."""
