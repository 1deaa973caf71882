"""Devices and precisions are picked as documented and refused by name."""

import pytest
import torch

from course_utils.support import devices


def test_auto_takes_the_cpu_where_there_is_nothing_else(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.pick_device().type == "cpu"


def test_auto_prefers_cuda_then_mps(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.pick_device().type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.pick_device().type == "cuda"


def test_an_absent_or_unknown_device_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no working cuda"):
        devices.pick_device("cuda")
    with pytest.raises(ValueError, match="no device named 'gpu'"):
        devices.pick_device("gpu")


@pytest.mark.parametrize(("gain", "chosen"), [(4.0, "bf16"), (1.1, "fp32"), (0.5, "fp32")])
def test_on_a_cpu_the_faster_format_is_chosen(monkeypatch, gain, chosen):
    rates = {torch.bfloat16: gain, torch.float32: 1.0}
    monkeypatch.setattr(devices, "matmul_rate", lambda dtype, device, size: rates[dtype])
    assert devices.pick_precision("auto", torch.device("cpu")) == chosen


@pytest.mark.parametrize(("has_bf16", "chosen"), [(True, "bf16"), (False, "fp32")])
def test_on_cuda_the_chip_decides(monkeypatch, has_bf16, chosen):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has_bf16)
    assert devices.pick_precision("auto", torch.device("cuda")) == chosen


def test_on_mps_float32_is_used_and_a_wish_is_respected():
    assert devices.pick_precision("auto", torch.device("mps")) == "fp32"
    assert devices.pick_precision("bf16", torch.device("cpu")) == "bf16"
    with pytest.raises(ValueError, match="no precision 'fp16'"):
        devices.pick_precision("fp16", torch.device("cpu"))


def test_the_matrix_product_rate_is_a_rate():
    assert devices.matmul_rate(torch.float32, torch.device("cpu"), size=64, repeats=2) > 1e6


def test_waiting_calls_the_right_backend(monkeypatch):
    called = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: called.append("cuda"))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: called.append("mps"))
    for kind in ("cpu", "cuda", "mps"):
        devices.synchronize(torch.device(kind))
    assert called == ["cuda", "mps"]
