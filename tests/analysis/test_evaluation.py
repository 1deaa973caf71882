"""Every figure against a loop that counts one image after the other, and against examples worked by hand."""

import json
import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils.analysis import evaluation
from course_utils.data import Normalisation, remember

# Six images, three classes. Predicted: 0 0 1 2 2 1.
LOGITS = torch.tensor(
    [[2.0, 1.0, 0.0], [3.0, 0.0, 1.0], [0.0, 5.0, 1.0], [0.0, 1.0, 2.0], [1.0, 0.0, 4.0], [0.5, 0.6, 0.0]]
)
LABELS = torch.tensor([0, 2, 1, 2, 0, 1])
NAMES = ("bird", "cat", "dog")


@st.composite
def predictions(draw):
    """Logits with many ties, and labels."""
    n, k = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    seed = draw(st.integers(0, 10_000))
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randint(-2, 3, (n, k), generator=generator).float()
    return logits, torch.randint(0, k, (n,), generator=generator)


class Recorder(nn.Module):
    """Logits (mean of the image, 0); notes the mode, the gradient switch and the size of each batch."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.frozen = nn.Dropout(0.9)
        self.seen = []

    def forward(self, images):
        self.seen.append((self.training, self.frozen.training, torch.is_grad_enabled(), len(images)))
        mean = self.frozen(images * self.scale).mean(dim=(1, 2, 3))
        return torch.stack([mean, torch.zeros_like(mean)], dim=1).to(torch.bfloat16)


def test_predict_keeps_the_order_and_leaves_the_model_as_it_was():
    model = Recorder().train()
    model.frozen.eval()
    images = torch.arange(7.0).reshape(7, 1, 1, 1).expand(7, 3, 2, 2)
    logits = evaluation.predict(model, images, batch_size=3)
    assert model.seen == [(False, False, False, 3), (False, False, False, 3), (False, False, False, 1)]
    assert torch.equal(logits, torch.stack([torch.arange(7.0), torch.zeros(7)], dim=1))
    assert logits.dtype == torch.float32
    assert not logits.requires_grad
    assert model.training
    assert not model.frozen.training


def test_predict_gives_the_mode_back_when_the_model_fails():
    model = nn.Sequential(nn.Linear(4, 2)).train()
    with pytest.raises(RuntimeError):
        evaluation.predict(model, torch.zeros(1, 5))
    assert model.training
    assert model[0].training


def test_predict_normalises_bytes_and_nothing_else():
    images = torch.randint(0, 256, (5, 3, 4, 4), dtype=torch.uint8)
    model, normalisation = nn.Flatten(), Normalisation((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    with pytest.raises(ValueError, match="This Flatten does not know how its images are normalised: give it floats"):
        evaluation.predict(model, images)
    assert torch.equal(evaluation.predict(model, images / 255), (images / 255).flatten(1))  # floats are not its matter
    remember(model, normalisation, None)
    expected = normalisation(images).flatten(1)
    assert torch.equal(evaluation.predict(model, images, batch_size=2), expected)
    assert torch.equal(evaluation.predict(model, normalisation(images)), expected)


def test_predict_rounds_only_if_it_is_asked_to():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    images = torch.randn(5, 3, 2, 2)
    with torch.no_grad():
        exact = model(images)
    rounded = evaluation.predict(model, images, precision="bf16")
    assert torch.equal(evaluation.predict(model, images), exact)
    assert torch.equal(rounded, rounded.bfloat16().float())
    torch.testing.assert_close(rounded, exact, atol=0.05, rtol=0)
    assert not torch.equal(rounded, exact)


def test_predict_refuses_no_images():
    with pytest.raises(ValueError, match="no images"):
        evaluation.predict(nn.Flatten(), torch.zeros(0, 3, 4, 4))


def test_accuracy_by_hand():
    assert evaluation.accuracy(LOGITS, LABELS) == pytest.approx(4 / 6)  # right: 0, 2, 3, 5
    assert evaluation.top_k_accuracy(LOGITS, LABELS, 2) == pytest.approx(6 / 6)
    accuracies, counts = evaluation.per_class_accuracy(LOGITS, LABELS)
    assert accuracies.tolist() == [0.5, 1.0, 0.5]
    assert counts.tolist() == [2, 2, 2]
    assert evaluation.confusion_matrix(LOGITS, LABELS).tolist() == [[1, 0, 1], [0, 2, 0], [1, 0, 1]]


def test_a_model_that_says_the_same_for_all_classes_is_not_perfect():
    logits, labels = torch.zeros(4, 4), torch.arange(4)
    assert [evaluation.top_k_accuracy(logits, labels, k) for k in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1.0]


@given(predictions())
@settings(max_examples=60, deadline=None)
def test_against_slow_loops(case):
    logits, labels = case
    n, k = logits.shape
    matrix = [[0] * k for _ in range(k)]
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        matrix[label][row.index(max(row))] += 1
    assert evaluation.confusion_matrix(logits, labels).tolist() == matrix
    assert evaluation.accuracy(logits, labels) == pytest.approx(sum(matrix[i][i] for i in range(k)) / n)
    accuracies, counts = evaluation.per_class_accuracy(logits, labels)
    for i in range(k):
        assert counts[i] == sum(matrix[i])
        assert math.isnan(accuracies[i]) if counts[i] == 0 else accuracies[i].item() == matrix[i][i] / sum(matrix[i])
    for top in range(1, k + 1):
        hits = 0
        for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
            hits += label in sorted(range(k), key=lambda i: (-row[i], i))[:top]
        assert evaluation.top_k_accuracy(logits, labels, top) == pytest.approx(hits / n)


@given(predictions(), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_calibration_against_a_slow_loop(case, bins):
    logits, labels = case
    result = evaluation.calibration(logits, labels, bins)
    members = [[] for _ in range(bins)]
    for row, label in zip(logits.double(), labels.tolist(), strict=True):
        exponentials = [math.exp(value) for value in row.tolist()]
        probability = max(exponentials) / sum(exponentials)
        on_edge = probability < 1 and abs(probability * bins - round(probability * bins)) < 1e-9
        assume(not on_edge)  # there the rounding decides: see the test of the edges below
        place = min(int(probability * bins), bins - 1)
        members[place].append((probability, row.argmax().item() == label))
    error = 0.0
    for m, inside in enumerate(members):
        assert result.counts[m] == len(inside)
        if inside:
            confidence = sum(p for p, _ in inside) / len(inside)
            share = sum(right for _, right in inside) / len(inside)
            assert result.confidence[m] == pytest.approx(confidence)
            assert result.accuracy[m] == pytest.approx(share)
            error += len(inside) / len(labels) * abs(confidence - share)
        else:
            assert result.confidence[m] is None
            assert result.accuracy[m] is None
    assert result.error == pytest.approx(error, abs=1e-12)
    assert result.edges == pytest.approx([m / bins for m in range(bins + 1)])


def test_calibration_by_hand():
    # Two classes, logits (x, 0): probability e^x / (1 + e^x). log 9 gives 0.9, log 4 gives 0.8, log 1.5 gives 0.6.
    logits = torch.tensor([[math.log(9), 0], [math.log(9), 0], [math.log(4), 0], [math.log(1.5), 0]])
    result = evaluation.calibration(logits, torch.tensor([0, 1, 0, 1]), bins=4)
    assert result.counts == [0, 0, 1, 3]  # 0.6 in (0.5, 0.75]; the others in (0.75, 1]
    assert result.confidence[2:] == pytest.approx([0.6, 2.6 / 3])
    assert result.accuracy[2:] == pytest.approx([0.0, 2 / 3])
    assert result.error == pytest.approx(1 / 4 * 0.6 + 3 / 4 * (2.6 / 3 - 2 / 3))


def test_a_probability_on_an_edge_belongs_to_the_bin_below():
    half = torch.tensor([[1.0, 1.0]])  # exactly 0.5
    assert evaluation.calibration(half, torch.tensor([0]), bins=2).counts == [1, 0]
    sure = torch.tensor([[100.0, 0.0]])  # exactly 1 after rounding
    assert evaluation.calibration(sure, torch.tensor([0]), bins=2).counts == [0, 1]


def test_calibration_refuses_no_bins():
    with pytest.raises(ValueError, match="bins must be at least 1"):
        evaluation.calibration(LOGITS, LABELS, bins=0)


def test_most_confident_mistakes():
    # The mistakes are image 1 (3, 0, 1 -> 0.84) and image 4 (1, 0, 4 -> 0.94).
    assert evaluation.most_confident_mistakes(LOGITS, LABELS).tolist() == [4, 1]
    assert evaluation.most_confident_mistakes(LOGITS, LABELS, k=1).tolist() == [4]
    assert evaluation.most_confident_mistakes(LOGITS, LOGITS.argmax(dim=1)).tolist() == []


def test_evaluate_is_a_record_that_json_gives_back():
    labels = torch.tensor([0, 0, 1, 0, 0, 1])  # nothing of class 2
    record = evaluation.evaluate(LOGITS, labels, NAMES)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    loss = 0.0
    for row, label in zip(LOGITS.tolist(), labels.tolist(), strict=True):
        loss += -row[label] + math.log(sum(math.exp(value) for value in row))
    assert record["loss"] == pytest.approx(loss / 6)
    assert record["n"] == 6
    assert record["classes"] == list(NAMES)
    assert record["accuracy"] == pytest.approx(4 / 6)
    assert record["accuracy_standard_error"] == pytest.approx(math.sqrt(4 / 6 * 2 / 6 / 6))
    assert record["top_k"] == 3
    assert record["top_k_accuracy"] == 1.0
    assert record["per_class_accuracy"] == [0.5, 1.0, None]
    assert record["per_class_count"] == [4, 2, 0]
    assert record["confusion"] == [[2, 0, 2], [0, 2, 0], [0, 0, 0]]
    again = evaluation.Calibration(**record["calibration"])
    assert again == evaluation.calibration(LOGITS, labels)
    assert record["calibration_error"] == again.error


def test_evaluate_takes_the_best_five_of_many():
    logits = torch.arange(10.0).repeat(2, 1)  # best five: classes 5 to 9
    record = evaluation.evaluate(logits, torch.tensor([5, 4]), [str(i) for i in range(10)])
    assert (record["top_k"], record["top_k_accuracy"]) == (5, 0.5)


@pytest.mark.parametrize(
    ("logits", "labels", "sentence"),
    [
        (torch.zeros(3), torch.zeros(3).long(), r"Logits must be \(N, K\)"),
        (torch.zeros(3, 2), torch.zeros(4).long(), r"they are \(3, 2\) and \(4,\)"),
        (torch.zeros(0, 2), torch.zeros(0).long(), "nothing to evaluate"),
        (torch.zeros(3, 2), torch.zeros(3), "whole numbers, not torch.float32"),
        (torch.zeros(3, 2), torch.tensor([0, 1, 2]), "between 0 and 1, but they go from 0 to 2"),
        (torch.zeros(3, 2), torch.tensor([0, -1, 1]), "from -1 to 1"),
        (torch.tensor([[0.0, math.nan]]), torch.tensor([0]), "diverged"),
    ],
)
def test_bad_input_gets_a_sentence(logits, labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        evaluation.confusion_matrix(logits, labels)


@pytest.mark.parametrize("k", [0, 4])
def test_k_must_fit_the_classes(k):
    with pytest.raises(ValueError, match="between 1 and the number of classes, 3"):
        evaluation.top_k_accuracy(LOGITS, LABELS, k)


def test_class_names_must_fit():
    with pytest.raises(ValueError, match="2 class names, but 3 logits"):
        evaluation.evaluate(LOGITS, LABELS, ("bird", "cat"))
