"""One of each explorer, as it ships. Those that look at pictures have six of them."""

import pytest
import torch
from explorers import EXPLORERS

from course_utils.explore.explorer import PictureExplorer


@pytest.fixture(scope="session")
def pictures():
    return torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=EXPLORERS, ids=lambda explorer: explorer.__name__)
def any_explorer(request):
    return request.param.example()


@pytest.fixture(
    params=[each for each in EXPLORERS if issubclass(each, PictureExplorer)], ids=lambda each: each.__name__
)
def picture_explorer(request):
    return request.param.example()
