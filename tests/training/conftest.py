"""The tiny trainer, as a fixture."""

import pytest
import tiny_training


@pytest.fixture
def make_trainer():
    """Make a trainer with a freshly seeded tiny model."""
    return tiny_training.make_trainer
