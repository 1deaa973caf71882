"""Lesson 06 (training): how anything here is trained."""
