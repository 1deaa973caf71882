"""Position codes side by side: what is drawn is what was given."""

import numpy as np
import pytest
import torch

from course_utils import plots


def test_each_panel_shows_its_own_similarity_on_one_scale():
    torch.manual_seed(0)
    similarities = {"untrained": torch.rand(6, 6), "trained": 2 * torch.rand(6, 6) - 1, "later": torch.eye(6)}
    figure = plots.position_similarity_panels(similarities, (2, 3), title="Codes")
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in panels] == list(similarities)
    for ax, similarity in zip(panels, similarities.values(), strict=True):
        drawn = ax.images[0]
        assert drawn.get_clim() == (-1, 1)
        cells = np.ma.compressed(np.ma.masked_invalid(drawn.get_array()))
        assert sorted(cells) == pytest.approx(sorted(similarity.flatten().tolist()))
        assert np.asarray(drawn.get_array())[:2, :3] == pytest.approx(similarity[0].reshape(2, 3).numpy())
    assert "untrained, trained, later" in figure.get_label()
    assert figure.get_suptitle() == "Codes"


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="a grid of 2x3 needs 6x6"):
        plots.position_similarity_panels({"small": torch.eye(4)}, (2, 3))
    with pytest.raises(ValueError, match="no similarities"):
        plots.position_similarity_panels({}, (2, 3))
