"""The line of small matrices: numbers written in, and the figure described in words."""

import numpy as np
import pytest
import torch

from course_utils import plots


def test_it_writes_each_matrix_with_name_and_shape_and_describes_them():
    a = torch.tensor([[1.0, -2.5], [0.0, float("-inf")]])
    figure = plots.matrix_equation(("a", a, 0), "+", ("b", np.ones((2, 2))), "=", ("c", a + 1, 1), title="A sum")
    written = [text.get_text() for text in figure.axes[0].texts]
    for word in ("a", "b", "c", "+", "=", "−2.5", "−∞", "(2, 2)", "A sum"):
        assert word in written
    assert "a [1 −2.5; 0 −∞] + b [1 1; 1 1] = c" in figure.get_label()


def test_it_stays_in_the_page():
    wide = torch.zeros(2, 14)
    figure = plots.matrix_equation(("wide", wide), "=", ("wide", wide), title="Wide", note="A note.")
    assert figure.get_figwidth() >= 14


@pytest.mark.parametrize("parts", [(), ("=",), (("a", torch.zeros(3)),)])
def test_it_refuses_what_is_no_matrix(parts):
    with pytest.raises(ValueError, match="two axes"):
        plots.matrix_equation(*parts, title="")
