"""Every static figure of the course.

Each function returns a matplotlib ``Figure``, and draws into your axes if you give some. A figure shows itself when it
is the last value of a notebook cell. Nothing here imports pyplot or changes matplotlib's settings for anything else.
"""

from course_utils.plots import diagrams
from course_utils.plots.attention import attention_distance, attention_overlays, deletion_curves, heads_overview
from course_utils.plots.charts import bar_chart, histogram, line_chart, matrix
from course_utils.plots.embeddings import position_similarity_panels
from course_utils.plots.equations import matrix_equation
from course_utils.plots.experiments import seed_dots, seed_lines
from course_utils.plots.pictures import image_gallery, mistake_gallery, patch_grid, prediction_gallery
from course_utils.plots.results import class_accuracy_bars, confusion_heatmap, reliability_diagram, training_curves
from course_utils.plots.style import NotebookFigure
from course_utils.plots.weights import patch_filters, position_similarity_grid

__all__ = [
    "NotebookFigure",
    "attention_distance",
    "attention_overlays",
    "bar_chart",
    "class_accuracy_bars",
    "confusion_heatmap",
    "deletion_curves",
    "diagrams",
    "heads_overview",
    "histogram",
    "image_gallery",
    "line_chart",
    "matrix",
    "matrix_equation",
    "mistake_gallery",
    "patch_filters",
    "patch_grid",
    "position_similarity_grid",
    "position_similarity_panels",
    "prediction_gallery",
    "reliability_diagram",
    "seed_dots",
    "seed_lines",
    "training_curves",
]
