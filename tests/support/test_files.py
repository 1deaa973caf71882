import json
import os
import stat
import struct

import pytest
import torch
from safetensors.torch import save_file

from course_utils.support.files import DamagedFileError, load_tensors, save_tensors, write_atomically, write_json

TENSORS = {
    "matrix": torch.arange(12.0).reshape(3, 4),
    "half": torch.tensor([0.1, -2.0], dtype=torch.float16),
    "brain": torch.tensor([0.1, -2.0], dtype=torch.bfloat16),
    "count": torch.tensor(7),
    "mask": torch.tensor([True, False]),
    "empty": torch.zeros(0, 3),
}
RECORD = {"seed": 1, "list": [1.5, None, "été"]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "tensors.safetensors"


def leftovers(folder):
    return [file.name for file in folder.iterdir() if file.name.endswith(".part")]


def test_tensors_and_record_come_back(path):
    save_tensors(path, TENSORS, RECORD)
    tensors, record = load_tensors(path)
    assert record == RECORD
    assert set(tensors) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    assert leftovers(path.parent) == []


def test_tensors_may_share_memory_need_gradients_or_be_transposed(path):
    matrix = torch.randn(3, 4, requires_grad=True)
    tensors = {"whole": matrix, "again": matrix, "row": matrix[1], "transposed": matrix.T}
    save_tensors(path, tensors, {})
    loaded, _ = load_tensors(path)
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_others_may_read_the_file(path):
    """Like any file that a program writes: the user's umask decides, and not the library."""
    save_tensors(path, TENSORS, RECORD)
    (path.parent / "plain").write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((path.parent / "plain").stat().st_mode)


def test_json_is_written_so_that_a_person_can_read_it(tmp_path):
    write_json(tmp_path / "a.json", RECORD)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == RECORD
    assert len(text.splitlines()) > 3


# what is not whole is refused


def test_every_flipped_bit_is_noticed(path):
    """In the header's length, its names, shapes and record, and in the numbers."""
    save_tensors(path, {"a": torch.randn(3), "b": torch.zeros(2, dtype=torch.float16)}, {"depth": 6})
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(DamagedFileError, match=r"tensors\.safetensors"):
            load_tensors(path)


def test_every_cut_is_noticed(path):
    save_tensors(path, {"a": torch.randn(3)}, {})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFileError, match="is damaged or is no safetensors file"):
            load_tensors(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(DamagedFileError):
        load_tensors(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" * 20, struct.pack("<Q", 2**60) + b"{}"])
def test_another_kind_of_file_is_refused(content, tmp_path):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DamagedFileError, match="no safetensors file"):
        load_tensors(tmp_path / "x")


def test_a_safetensors_file_of_someone_else_is_refused(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "x")
    with pytest.raises(DamagedFileError, match="not one that this course wrote"):
        load_tensors(tmp_path / "x")


def test_a_missing_file_or_a_folder_is_named(tmp_path):
    for path in (tmp_path / "x", tmp_path):
        with pytest.raises(FileNotFoundError, match=path.name):
            load_tensors(path)


# whole or absent


def fails_with(error):
    def fail(*_, **__):
        raise error

    return fail


def assert_old_content_survives(path, old):
    with pytest.raises(OSError, match=r"Cannot write .*disk has room.*nothing that was there before is lost"):
        save_tensors(path, {"a": torch.ones(2000)}, {})
    assert path.read_bytes() == old
    assert leftovers(path.parent) == []


def test_a_disk_that_fills_up_half_way_leaves_the_old_file(path):
    resource = pytest.importorskip("resource", reason="the system can limit the size of a file")
    save_tensors(path, TENSORS, RECORD)
    old, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        assert_old_content_survives(path, old)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("pathlib.Path.write_bytes", PermissionError(13, "Permission denied")),
        ("os.fsync", OSError(28, "No space left on device")),
        ("os.replace", OSError(30, "Read-only file system")),
    ],
)
def test_a_step_that_fails_leaves_the_old_file(function, error, path, monkeypatch):
    save_tensors(path, TENSORS, RECORD)
    old = path.read_bytes()
    monkeypatch.setattr(function, fails_with(error))
    assert_old_content_survives(path, old)


def test_an_interruption_leaves_the_old_file_and_no_litter(path):
    write_json(path, RECORD)

    def interrupted(file):
        file.write_text("half of")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, interrupted)
    assert json.loads(path.read_text()) == RECORD
    assert leftovers(path.parent) == []


def test_a_folder_that_is_a_file_is_reported(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OSError, match=r"Cannot write .*taken"):
        write_json(tmp_path / "taken" / "a.json", {})


def test_the_new_content_appears_only_when_it_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, "old")
    seen = []
    replace = os.replace

    def watched(source, target):
        seen.append((json.loads(path.read_text()), json.loads(source.read_text())))
        replace(source, target)

    monkeypatch.setattr("os.replace", watched)
    write_json(path, "new")
    assert seen == [("old", "new")]
    assert json.loads(path.read_text()) == "new"
