"""What all explorers promise: they show themselves everywhere, need no network, and take a person's own picture."""

import base64
import io
import json
import math
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
from anywidget import AnyWidget
from explorers import EXPLORERS
from PIL import Image
from traitlets import TraitError

from course_utils import explore
from course_utils.explore.explorer import Choice

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def node() -> str:
    """Return playwright's own node."""
    driver = pytest.importorskip("playwright._impl._driver", reason="NO NODE FOUND: the JavaScript was NOT parsed")
    return driver.compute_driver_executable()[0]


def bundle(explorer):
    return explorer._repr_mimebundle_()


@pytest.mark.parametrize("explorer", EXPLORERS, ids=lambda each: each.__name__)
def test_it_is_tested_in_a_browser(explorer):
    name = explorer.__module__.rpartition(".")[2]
    path = Path(__file__).parents[1] / "browser" / f"test_{name}_explorer.py"
    assert path.exists()
    text = path.read_text(encoding="utf-8")
    assert f'.explorer("{name}")' in text
    assert "def test_" in text


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


def test_its_words_do_not_change_from_run_to_run(any_explorer):
    words = bundle(any_explorer)[0]["text/plain"]
    assert words == bundle(any_explorer.example())[0]["text/plain"]
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


# What comes from the browser

ODD = (True, False, -1, 10**9, 0.0, 1.0, 0.5, math.nan, "0", "1", "", "true", b"1", None, [], [0], {}, {"0": 0})


def picks(explorer):
    """What a person picks, in words and numbers: name -> value."""
    return {name: getattr(explorer, name) for name in explorer.traits(sync=True, picked=True)}


def odd_messages(explorer):
    """For each number that a person picks, and for each in a tuple of them, something else in its place."""
    for name, value in picks(explorer).items():
        if type(value) is int:
            yield from ((name, odd) for odd in ODD)
        if type(value) is tuple:
            yield from (
                (name, [*value[:place], odd, *value[place + 1 :]]) for place in range(len(value)) for odd in ODD
            )
            yield from ((name, odd) for odd in (*ODD, list(value[1:]), [*value, 0]))
        if isinstance(explorer.traits()[name], Choice) and type(value) is str:
            yield from ((name, odd) for odd in (*ODD, value + " ", value.upper()))


def refused(explorer, message):
    """Whether the explorer takes nothing of a message and remains as it was."""
    before = explorer.get_state()
    with pytest.raises(TraitError):
        explorer.set_state(message)
    return explorer.get_state() == before


def test_a_pick_of_what_is_not_there_is_refused_whole(any_explorer):
    numbers = [name for name, value in picks(any_explorer).items() if type(value) is int]
    messages = list(odd_messages(any_explorer))
    assert len(messages) >= len(numbers) * len(ODD) > 0
    for name, odd in messages:
        assert refused(any_explorer, {name: odd}), (name, odd)
        for other in {*numbers} - {name}:  # right things in the same message are not taken either
            assert refused(any_explorer, {other: 1, name: odd}), (other, name, odd)


def test_python_is_refused_the_same_in_a_sentence(any_explorer):
    for name, value in picks(any_explorer).items():
        if type(value) is int:
            for odd in (True, -1, 10**9, 1.0):
                with pytest.raises(TraitError, match=f"There is no {name.replace('_', ' ')} {odd}: choose .+[0-9]"):
                    setattr(any_explorer, name, odd)
            assert getattr(any_explorer, name) == value


def test_every_number_on_offer_is_taken(any_explorer):
    for name, value in picks(any_explorer).items():
        if type(value) is int:
            for each in list(any_explorer.traits()[name].options(any_explorer))[:100]:
                any_explorer.set_state({name: each})
                assert getattr(any_explorer, name) == each


def test_what_nobody_picks_is_not_for_the_browser_to_change(any_explorer):
    facts = set(any_explorer.keys) - set(AnyWidget.class_trait_names()) - set(picks(any_explorer))
    assert {"palette", "_esm", "_css"} < facts
    for name in facts:
        for value in (getattr(any_explorer, name), *ODD):
            assert refused(any_explorer, {name: value}), (name, value)
        for other in picks(any_explorer):
            assert refused(any_explorer, {other: getattr(any_explorer, other), name: 1})


def test_each_has_its_script_by_its_name():
    folder = Path(explore.__file__).parent
    scripts = {path.stem: path.read_text() for path in folder.glob("*.js") if path.stem != "common"}
    assert set(scripts) == {each.__module__.rpartition(".")[2] for each in EXPLORERS}
    for each in EXPLORERS:
        name = each.__module__.rpartition(".")[2]
        assert scripts[name] in each._esm
        assert (folder / f"{name}_picture.py").exists()
    for path in folder.glob("*.css"):
        assert path.stem == "common" or path.with_suffix(".js").exists()


def test_one_made_in_a_notebook_keeps_the_script_of_what_it_is_made_from(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "__file__", None)  # as in a notebook
    mine = type("Mine", (explore.AttentionExplorer,), {"__module__": __name__})
    assert mine._esm == explore.AttentionExplorer._esm
    assert mine._css == explore.AttentionExplorer._css


# A person's own picture


def file_of(size=(40, 30), kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(file, kind)
    return file.getvalue()


def test_an_upload_becomes_the_last_picture_and_is_shown(picture_explorer):
    before = len(picture_explorer.names)
    picture_explorer.upload = file_of()
    assert picture_explorer.message.startswith("This is your picture")
    assert len(picture_explorer.names) == len(picture_explorer.images) == before + 1
    assert picture_explorer.image == picture_explorer.answered == before
    assert set(picture_explorer.pictures[-3:]) == {200, 30}
    assert picture_explorer.upload == b""  # the same file may come again
    picture_explorer.upload = file_of()
    assert len(set(picture_explorer.names[-2:])) == 2


@pytest.mark.parametrize(("content", "sentence"), [(b"no picture", "not a picture"), (file_of()[:60], "damaged")])
def test_an_upload_that_is_no_picture_is_refused_in_words(picture_explorer, content, sentence):
    picture_explorer.upload = content
    assert sentence in picture_explorer.message
    assert picture_explorer.image == 0
    picture_explorer.upload = file_of()
    assert picture_explorer.message.startswith("This is your picture")


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
