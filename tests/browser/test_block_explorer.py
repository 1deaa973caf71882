"""The block explorer in JupyterLab: by mouse and by keyboard, and what it draws against what Python computes."""

import numpy as np
import pytest

from course_utils.explore.block import PRE_NORM

ACTIVE_CELL = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"
BARS = """element => [...element.querySelectorAll('svg[role=img] .length')].map(bar =>
    [bar.getAttribute('width') / bar.previousSibling.getAttribute('width'), bar.getAttribute('fill')])"""
COLUMN = """(element, column) => [...element.querySelectorAll('svg .' + column)]
    .map(bar => Number(bar.getAttribute('width')))"""
INK = {"stream": "#0072b2", "norm": "#8a8a8a", "attention": "#009e73", "MLP": "#e69f00"}


@pytest.fixture
def block(explorer_notebook):
    explorer = explorer_notebook.explorer("block")
    explorer.run("block.image, block.token, block.layer, block.compare = 0, 0, 0, 'block'")
    explorer.page.wait_for_function(
        "element => element.querySelector('[role=status]').innerText.startsWith('Block 0, class token')"
        " && element.querySelector('select').value === '0'",
        arg=explorer.root.element_handle(),
    )
    return explorer


def computed(block, token="self.token"):
    """The chosen layer, and what the kernel computes anew: lengths (L, S), degrees (L, S), cosines of sums (L, 2)."""
    cosines = "(p.to_block if self.compare == 'block' else p.to_start)"
    values = f"[p.lengths, {cosines}.clamp(-1, 1).arccos().rad2deg(), p.along]"
    layer, *arrays = block.kernel(
        f"(lambda t, p: [self.layer, *(each[..., t].tolist() for each in {values})])({token}, self.paths(self.image))"
    )
    return layer, *map(np.array, arrays)


def written(length):
    return f"{length:.1f}" if length >= 0.95 else f"{length:#.2g}"


def check_drawn(block):
    """Bars, colours and words of the stations, bars of all blocks, and the status line, against the kernel."""
    layer, lengths, degrees, along = computed(block)
    assert len(set(lengths[layer].round(3))) == len(PRE_NORM)  # each station can be told from the others
    added = [[station.kind for station in PRE_NORM].index(branch) for branch in ("attention", "MLP")]

    drawn = block.root.evaluate(BARS)
    order = sorted(range(len(PRE_NORM)), key=lambda place: not PRE_NORM[place].on_stream)  # the stream is drawn first
    np.testing.assert_allclose([share for share, _ in drawn], lengths[layer, order] / lengths.max(), rtol=1e-4)
    assert [colour for _, colour in drawn] == [INK[PRE_NORM[place].kind] for place in order]
    diagram = block.root.locator("svg[role=img]")
    told = [
        f"{station.name}: length {written(length)}, {degree:.0f} degrees"
        for station, length, degree in zip(PRE_NORM, lengths[layer], degrees[layer], strict=True)
    ]
    assert diagram.get_attribute("aria-label") == f"Stations of block {layer}: {'; '.join(told)}"
    sums = diagram.text_content()
    for place, cosine in zip(added, along[layer], strict=True):
        assert f"adds {written(lengths[layer, place])} at {np.degrees(np.arccos(cosine)):.0f}°" in sums

    columns = [[lengths[0, 0], *lengths[:, -1]], *lengths[:, added].T]
    for column, values in zip(("stream", "attention", "MLP"), columns, strict=True):
        widths = np.array(block.root.evaluate(COLUMN, column))
        np.testing.assert_allclose(widths / widths[0], np.array(values) / values[0], rtol=1e-4)
    ends = f"enters with length {written(lengths[layer, 0])} and leaves with {written(lengths[layer, -1])}, turned by"
    assert ends in block.status()
    return lengths


def test_a_click_on_a_patch_follows_that_patch(block):
    grid = block.root.get_by_role("grid", name="Patches")
    before = block.paints()
    grid.get_by_role("button", name="patch row 2, column 5").click()
    assert block.paints() == before + 1  # in the same frame, without the kernel
    assert block.kernel("self.token") == 1 + 2 * 8 + 5
    assert block.status().startswith("Block 0, patch row 2, column 5: ")
    lengths = check_drawn(block)
    assert not np.allclose(lengths, computed(block, token=1 + 5 * 8 + 2)[1], rtol=1e-2)  # row and column changed over
    assert "read early" not in block.root.inner_text()

    block.root.get_by_role("button", name="class token").click()
    assert block.kernel("self.token") == 0
    assert block.root.get_by_role("button", name="class token").get_attribute("aria-pressed") == "true"
    assert block.root.locator("[aria-label=Patches] [aria-selected=true]").count() == 0
    check_drawn(block)


def test_both_grids_by_keyboard(block):
    patches = block.root.get_by_role("grid", name="Patches")
    patches.locator("button[tabindex='0']").focus()
    cell = block.page.evaluate(ACTIVE_CELL)
    for key, token in (("ArrowDown", 9), ("ArrowRight", 10), ("End", 16), ("Home", 9), ("ArrowUp", 1)):
        block.page.keyboard.press(key)
        assert block.kernel("self.token") == token
    blocks = block.root.get_by_role("grid", name="Blocks")
    blocks.locator("button[tabindex='0']").focus()
    for key, layer in (("ArrowDown", 1), ("Control+End", 5), ("ArrowUp", 4)):
        block.page.keyboard.press(key)
        assert block.kernel("self.layer") == layer
    check_drawn(block)
    assert block.root.locator("[aria-selected=true]").count() == 2
    assert block.page.evaluate(ACTIVE_CELL) == cell


def test_angles_are_told_from_the_entry_that_is_chosen(block):
    block.root.get_by_role("grid", name="Blocks").get_by_role("button").nth(3).click()
    check_drawn(block)
    from_block = block.root.locator("svg[role=img]").get_attribute("aria-label")
    block.root.get_by_label("Dials").select_option(label="the first block")
    assert block.kernel("self.compare") == "start"
    assert block.root.locator("svg[role=img]").get_attribute("aria-label") != from_block
    check_drawn(block)


def test_read_early_is_told_for_the_class_token(block):
    early = block.kernel("self.early")
    text = block.root.locator("figure svg").text_content()
    for name, share in early:
        assert f"{name} {'over 99' if share > 0.995 else round(100 * share)}%" in text
    block.root.get_by_role("grid", name="Blocks").get_by_role("button").nth(2).click()
    assert f"Read early, the head would say {early[3][0]}, " in block.status()
    block.root.get_by_role("grid", name="Blocks").get_by_role("button").nth(5).click()
    assert f"The head says {early[6][0]}, " in block.status()


def test_a_new_picture_comes_from_the_kernel_with_its_numbers(block):
    old = computed(block)[1]
    before = block.paints()
    block.root.get_by_label("Picture").select_option(index=3)
    block.until_painted(before)
    assert block.kernel("self.image") == 3
    assert not np.allclose(check_drawn(block), old, rtol=1e-2)
    assert block.pixels("canvas") == block.kernel("self.images[3].permute(1, 2, 0).reshape(-1, 3).tolist()")


def test_the_kernel_can_drive_it(block):
    before = block.paints()
    block.run("block.token, block.layer = 30, 4")
    block.until_painted(before + 1)
    assert block.status().startswith("Block 4, patch row 3, column 5: ")
    assert block.root.locator("[aria-selected=true] button").evaluate_all(
        "buttons => buttons.map(each => each.getAttribute('aria-label').split(':')[0])"
    ) == ["patch row 3, column 5", "block 4"]
    check_drawn(block)
