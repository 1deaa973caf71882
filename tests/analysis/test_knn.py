"""The nearest neighbours vote, the nearest most."""

import numpy as np
import pytest
import torch

from course_utils.analysis.probes import knn


def test_votes_are_what_numpy_says():
    features, queries = torch.randn(40, 6), torch.randn(7, 6)
    labels = torch.arange(40) % 3
    known, asked = (each.double().numpy() for each in (features, queries))
    expected = np.zeros((7, 3))
    for number, query in enumerate(asked):
        cosines = known @ query / np.linalg.norm(known, axis=1) / np.linalg.norm(query)
        for index in np.argsort(-cosines)[:5]:
            expected[number, labels[index]] += np.exp(cosines[index] / 0.1)
    expected /= expected.sum(axis=1, keepdims=True)
    assert knn(features, labels, queries, k=5, temperature=0.1).numpy() == pytest.approx(expected, abs=1e-5)


def test_lengths_do_not_count_and_many_queries_do_not_matter():
    features, queries, labels = torch.randn(30, 4), torch.randn(2500, 4), torch.arange(30) % 2
    votes = knn(features, labels, queries, k=3)
    assert torch.allclose(knn(5 * features, labels, 0.1 * queries, k=3), votes, atol=1e-4)
    assert torch.allclose(knn(features, labels, queries[2400:], k=3), votes[2400:], atol=1e-5)


def test_an_image_that_is_known_is_found():
    features, labels = torch.randn(20, 8), torch.arange(20) % 4
    assert torch.equal(knn(features, labels, features, k=1).argmax(dim=1), labels)


@pytest.mark.parametrize("k", [0, 21])
def test_so_many_neighbours_there_are_not(k):
    with pytest.raises(ValueError, match=f"k must be from 1 to the number of known images, 20, not {k}"):
        knn(torch.randn(20, 8), torch.zeros(20, dtype=torch.int64), torch.randn(1, 8), k=k)
