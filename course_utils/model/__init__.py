"""The Vision Transformer (lessons 01 to 05), one module a lesson."""
