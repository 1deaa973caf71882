"""The position explorer in JupyterLab: what is picked by mouse and keyboard, what the kernel knows, what is drawn."""

import numpy as np
import pytest
import torch

from course_utils import ViTConfig, explore

BEFORE, AFTER, OVERVIEW = (f".panels figure:nth-of-type({number})" for number in (1, 2, 3))
HERE = explore.PositionExplorer.from_snapshots("cifar_micro")  # the same tables, without a browser
LAST = HERE.kinds["learned"]["moments"][-1]
PALETTE = np.frombuffer(HERE.palette, np.uint8).reshape(256, 3)


def table(kind, epoch):
    """(patches, patches), as the browser has it."""
    tables = np.frombuffer(HERE.tables, "<i2").reshape(-1, 64, 64)
    return tables[HERE.kinds[kind]["first"] + epoch] / 32767


def colours(values):
    """Red, green and blue of values from -1 to 1."""
    return PALETTE[np.clip(np.floor((values.flatten() + 1) * 128), 0, 255).astype(int)].tolist()


@pytest.fixture
def explorer(explorer_notebook):
    """The explorer with row 5, column 2 picked at the end of the training of learned codes."""
    opened = explorer_notebook.explorer("position")
    opened.run(f"position.kind, position.position, position.epoch = 'learned', 42, {HERE.epoch}")
    opened.page.wait_for_function(
        "root => root.querySelector('[role=status]').innerText.includes('Picked: row 5, column 2')",
        arg=opened.root.element_handle(),
    )
    return opened


def test_a_click_compares_the_position_with_all(explorer):
    explorer.root.locator(f"{AFTER} .grid button").nth(14).click()  # row 1, column 6: not its own mirror image
    assert explorer.kernel("[self.position, self.epoch]") == [14, HERE.epoch]
    last = table("learned", HERE.epoch)[14]
    assert explorer.pixels(f"{AFTER} canvas") == colours(last)
    assert explorer.pixels(f"{BEFORE} canvas") == colours(table("learned", 0)[14])
    texts = explorer.root.locator(f"{AFTER} .grid button").all_inner_texts()
    assert texts[14] == "1"
    assert [float(text.replace("−", "-")) for text in texts] == pytest.approx(last, abs=0.0051)
    best = sorted((index for index in range(64) if index != 14), key=lambda index: -last[index])[0]
    said = f"Highest of the others {LAST}: row {best // 8}, column {best % 8} ({last[best]:.2f})"
    assert said in explorer.status()


def test_the_small_maps_show_every_position_and_can_be_clicked(explorer):
    pixels = np.array(explorer.pixels(f"{OVERVIEW} canvas")).reshape(72, 72, 3)
    for position in (0, 14, 63):
        top, left = position // 8 * 9, position % 8 * 9
        small = pixels[top : top + 8, left : left + 8].reshape(-1, 3).tolist()
        assert small == colours(table("learned", HERE.epoch)[position])
    explorer.root.locator(f"{OVERVIEW} canvas").click(position={"x": 7 * 36 + 15, "y": 2 * 36 + 15})
    assert explorer.kernel("self.position") == 2 * 8 + 7
    assert explorer.pixels(f"{AFTER} canvas") == colours(table("learned", HERE.epoch)[23])


def test_keys_move_the_choice_and_nothing_else(explorer):
    active = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    cell = explorer.page.evaluate(active)
    explorer.root.locator("input[type=range]").focus()
    for key, position in (
        ("Tab", 42),
        ("ArrowDown", 50),
        ("ArrowRight", 51),
        ("Home", 48),
        ("End", 55),
        ("ArrowUp", 47),
    ):
        explorer.page.keyboard.press(key)
        assert explorer.kernel("self.position") == position, key
    assert explorer.page.evaluate(active) == cell
    assert explorer.pixels(f"{AFTER} canvas") == colours(table("learned", HERE.epoch)[47])
    picked = explorer.root.locator(f"{BEFORE} [aria-selected=true] button")
    assert picked.evaluate("button => button === document.activeElement")
    assert picked.get_attribute("aria-label") == "row 5, column 7: 1"


def test_the_slider_goes_through_the_training(explorer):
    slider = explorer.root.locator("input[type=range]")
    slider.focus()
    for key, epoch, words in (("Home", 0, "before training"), ("ArrowRight", 1, "after 1 pass")):
        explorer.page.keyboard.press(key)
        assert explorer.kernel("self.epoch") == epoch
        assert slider.get_attribute("aria-valuetext") == words
        assert words in explorer.root.locator(f"{AFTER} figcaption").inner_text()
        assert explorer.pixels(f"{AFTER} canvas") == colours(table("learned", epoch)[42])
        assert explorer.pixels(f"{BEFORE} canvas") == colours(table("learned", 0)[42])


@pytest.mark.parametrize("kind", ["sincos2d", "rotary", "relative"])
def test_a_code_that_is_not_trained_has_one_map(explorer, kind):
    explorer.root.locator("select").select_option(value=kind)
    assert explorer.kernel("self.kind") == kind
    assert not explorer.root.locator(BEFORE).is_visible()
    assert not explorer.root.locator("input[type=range]").is_visible()
    assert explorer.pixels(f"{AFTER} canvas") == colours(table(kind, 0)[42])
    assert ("All others before training: 0." in explorer.status()) == (kind == "relative")


def test_the_kernel_drives_it_too(explorer):
    before = explorer.paints()
    explorer.run("position.kind = 'none'")
    explorer.until_painted(before)
    assert "There is nothing to compare" in explorer.status()
    assert explorer.root.locator(f"{AFTER} .grid").inner_text().strip() == ""
    assert not explorer.root.locator(OVERVIEW).is_visible()
    assert "a vector of zeros has no direction" in explorer.root.inner_text()
    before = explorer.paints()
    explorer.run("position.position = 3; position.kind = 'rotary'")
    explorer.until_painted(before + 1)
    assert explorer.pixels(f"{AFTER} canvas") == colours(table("rotary", 0)[3])
    assert explorer.root.locator("select").input_value() == "rotary"


def test_trained_biases_have_their_own_scale_and_a_grid_need_not_be_square(browser, tmp_path):
    """On a page without a kernel, which opens fast."""
    config = ViTConfig((8, 12), 4, embed_dim=16, depth=1, num_heads=2)  # 2 rows, 3 columns
    bias = torch.arange(2)[:, None, None, None, None] * torch.linspace(-3, 5, 15).reshape(3, 5).expand(2, 1, 2, 3, 5)
    small = explore.PositionExplorer(config, torch.randn(2, 7, 16), [0, 1], bias, kind="relative", position=2)
    small.to_html(tmp_path / "page.html")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    root = page.locator(".explorer")
    texts = root.locator(f"{AFTER} .grid button").all_inner_texts()
    assert [float(text.replace("−", "-")) for text in texts] == pytest.approx(small.similarity().flatten(), abs=0.0051)
    assert set(root.locator(f"{BEFORE} .grid button").all_inner_texts()) == {"0"}
    assert "All others before training: 0." in root.locator("[role=status]").inner_text()
    assert root.locator(".bar").inner_text().split()[:2] == ["−5", "5"]
    page.close()
