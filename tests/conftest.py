"""What all tests share."""

import pytest
import torch
from torch import nn

torch.set_num_threads(1)  # the models here are tiny: a second thread would only wait for the first


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def randomise():
    """Fill every parameter with random numbers, so that none stands at a 0 or 1 that would hide a mistake."""

    @torch.no_grad()
    def fill(model: nn.Module) -> nn.Module:
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.normal_(std=0.3)
                parameter += name.endswith("weight")  # the scale of a norm: around 1
            else:
                parameter.normal_(std=parameter[0].numel() ** -0.5)  # keeps the size of what a linear map gets
        return model.eval()

    return fill
