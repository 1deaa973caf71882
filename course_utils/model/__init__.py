"""Lessons 01 (patches) to 05 (vit): the Vision Transformer, one module a lesson."""
