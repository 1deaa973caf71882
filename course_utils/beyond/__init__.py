"""Lesson 10 (cnn): models that stand beside the plain Vision Transformer, for comparisons on equal terms."""
