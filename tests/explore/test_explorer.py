"""What all explorers promise: they show themselves everywhere, need no network, and take a person's own picture."""

import base64
import io
import json
import re
import subprocess
import sys
import types

import pytest
import torch
from PIL import Image
from traitlets import TraitError

from course_utils import explore

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def node() -> str:
    """Return playwright's own node."""
    driver = pytest.importorskip("playwright._impl._driver", reason="NO NODE FOUND: the JavaScript was NOT parsed")
    return driver.compute_driver_executable()[0]


def bundle(explorer):
    return explorer._repr_mimebundle_()


def test_its_script_parses_as_a_module_and_asks_for_nothing(any_explorer):
    script = any_explorer._esm
    check = [node(), "--input-type=module", "--check", "-"]
    done = subprocess.run(check, input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    broken = subprocess.run(check, input=script + "\n)", capture_output=True, text=True)
    assert broken.returncode != 0
    assert not re.search(r"\bimport\b|https?:|fetch\(|XMLHttpRequest", re.sub(r"//.*|/\*[\s\S]*?\*/", "", script))
    assert "url(" not in any_explorer._css


def test_a_page_with_a_kernel_gets_widget_picture_and_words(any_explorer, monkeypatch):
    monkeypatch.delenv("COURSE_WIDGETS", raising=False)
    data, metadata = bundle(any_explorer)
    assert set(data) == {WIDGET_VIEW, "image/png", "text/plain"}
    assert data[WIDGET_VIEW]["model_id"] == any_explorer.model_id
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).width > 200
    assert len(metadata["image/png"]["alt"]) > 60


def test_the_environment_turns_widgets_off(any_explorer, monkeypatch):
    monkeypatch.setenv("COURSE_WIDGETS", "static")
    assert set(bundle(any_explorer)[0]) == {"image/png", "text/plain"}
    monkeypatch.setenv("COURSE_WIDGETS", "off")
    with pytest.raises(ValueError, match="COURSE_WIDGETS is 'off': set it to live or static"):
        bundle(any_explorer)


def test_its_words_do_not_change_from_run_to_run(any_explorer, make):
    words = bundle(any_explorer)[0]["text/plain"]
    assert words == bundle(make(type(any_explorer).__name__))[0]["text/plain"]
    assert len(words) > 30
    assert "0x" not in words


def test_colab_is_told_where_its_widget_manager_is(any_explorer, monkeypatch):
    """Without the address, Colab shows nothing in place of the widget."""
    output = types.ModuleType("google.colab.output")
    output._widgets = types.SimpleNamespace(_installed_url="https://a.widget.manager")
    output.enable_custom_widget_manager = lambda: None
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    monkeypatch.delenv("COURSE_WIDGETS", raising=False)
    _, metadata = bundle(any_explorer)
    assert metadata[WIDGET_VIEW]["colab"]["custom_widget_manager"]["url"] == "https://a.widget.manager"
    assert metadata["image/png"]["alt"]


def test_show_shows_it_and_returns_nothing(any_explorer, monkeypatch):
    shown = []
    monkeypatch.setattr("course_utils.explore.explorer.display", shown.append)
    assert any_explorer.show() is None
    assert shown == [any_explorer]


def test_its_page_needs_no_kernel_and_no_network(any_explorer, tmp_path):
    page = any_explorer.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert any_explorer.summary in page
    state = json.loads(re.findall(r"const stored = (.*);\n", page)[-1])
    assert base64.b64decode(state["palette"]["base64"]) == any_explorer.palette
    assert "upload" not in state


# A person's own picture


def file_of(size=(40, 30), kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(file, kind)
    return file.getvalue()


@pytest.fixture(params=["AttentionExplorer", "BlockExplorer", "PatchifyExplorer"])
def picture_explorer(request, make):
    return make(request.param)


def test_an_upload_becomes_the_last_picture_and_is_shown(picture_explorer):
    before = len(picture_explorer.names)
    picture_explorer.upload = file_of()
    assert picture_explorer.message.startswith("This is your picture")
    assert len(picture_explorer.names) == len(picture_explorer.images) == before + 1
    assert picture_explorer.image == picture_explorer.answered == before
    assert set(picture_explorer.pictures[-3:]) == {200, 30}
    assert picture_explorer.upload == b""  # the same file may come again
    picture_explorer.upload = file_of()
    assert len(set(picture_explorer.names)) == before + 2


@pytest.mark.parametrize(("content", "sentence"), [(b"no picture", "not a picture"), (file_of()[:60], "damaged")])
def test_an_upload_that_is_no_picture_is_refused_in_words(picture_explorer, content, sentence):
    picture_explorer.upload = content
    assert sentence in picture_explorer.message
    assert picture_explorer.image == 0
    picture_explorer.upload = file_of()
    assert picture_explorer.message.startswith("This is your picture")


def test_a_picture_that_is_not_there_is_refused(picture_explorer):
    with pytest.raises(TraitError, match="There is no picture 9: choose a number from 0 to 2"):
        picture_explorer.image = 9
    assert picture_explorer.image == 0


def test_floats_from_0_to_1_are_the_same_pictures(pictures):
    floats = explore.PatchifyExplorer(pictures / 255, ["a", "b", "c"])
    assert floats.pictures == explore.PatchifyExplorer(pictures, ["a", "b", "c"]).pictures
    assert torch.equal(floats.images, pictures)


def test_images_and_names_must_fit(pictures):
    with pytest.raises(ValueError, match="2 names for 3 images"):
        explore.PatchifyExplorer(pictures, ["a", "b"])
    with pytest.raises(ValueError, match="shape"):
        explore.PatchifyExplorer(pictures[0], ["a"])
    with pytest.raises(ValueError, match="normalised"):
        explore.PatchifyExplorer(torch.full((1, 3, 8, 8), -2.0), ["a"])
