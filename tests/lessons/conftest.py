"""Each test of this folder that asks for ``lesson`` runs once for every notebook."""

import pytest
from lesson_files import LESSONS, Lesson


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    return Lesson(request.param)
