"""The attention explorer in JupyterLab: what mouse and keys set, what is drawn and said, against the kernel."""

import io

import numpy as np
import pytest
from lab_server import WIDGET
from matplotlib.colors import to_rgb
from PIL import Image

from course_utils.explore.explorer import palette_bytes
from course_utils.plots.attention import MOST_TINT
from course_utils.plots.style import TINT

PALETTE = np.frombuffer(palette_bytes("viridis"), np.uint8).reshape(256, 3)
ACTIVE_CELL = f"() => {WIDGET}.content.activeCellIndex"
STATE = """{
    'words': self.in_words(), 'values': self.values()[1:].tolist(), 'uniform': 1 / self.num_tokens,
    'shared': self.largest if self.shared_scale else None,
    'at': [self.image, self.layer, self.head, self.query],
}"""


@pytest.fixture
def explorer(explorer_notebook):
    """The explorer as it is at the start: picture 0, layer 5, mean of the heads, class token."""
    opened = explorer_notebook.explorer("attention")
    opened.run(
        "attention.image, attention.layer, attention.head, attention.query = 0, 5, 4, 0\n"
        "attention.direction, attention.shared_scale = 'looks at', False"
    )
    check(opened, at=[0, 5, 4, 0])
    return opened


def colours(values, top):
    """The colours of a map: [[red, green, blue], ...]."""
    return PALETTE[np.clip(np.floor(np.array(values) / top * 256), 0, 255).astype(int)].tolist()


def check(explorer, at=None):
    """Page and kernel agree: words, map, numbers. Returns the values and their colours.

    ``at`` is what the kernel must know: picture, layer, head and query.
    """
    state = explorer.kernel(STATE)
    for _ in range(50):  # the page sends one change after the other, and waits for the kernel between them
        if at in (None, state["at"]):
            break
        explorer.page.wait_for_timeout(100)
        state = explorer.kernel(STATE)
    assert at in (None, state["at"])
    explorer.root.locator('[role="status"]', has_text=state["words"]).wait_for(timeout=20_000)
    values = state["values"]
    top = state["shared"] or max(*values, state["uniform"])
    expected = colours(values, top)
    assert explorer.pixels("canvas.map") == expected
    over = np.array(explorer.pixels("canvas.over", opacity=True))
    np.testing.assert_allclose(over[:, 3], 255 * MOST_TINT * np.array(values) / top, atol=0.6)
    np.testing.assert_allclose(over[np.argmax(values), :3], 255 * np.array(to_rgb(TINT)), atol=2)
    written = [float(each) for each in explorer.root.locator(".numbers span").all_inner_texts()]
    np.testing.assert_allclose(written, np.multiply(values, 100), atol=0.501)
    return values, expected


def test_a_click_on_a_patch_shows_its_row_of_the_weights_or_its_column(explorer):
    explorer.root.get_by_label("patch row 2, column 5", exact=True).click()
    row, expected = check(explorer, at=[0, 5, 4, 1 + 2 * 8 + 5])
    transposed = np.reshape(row, (8, 8)).T.ravel()
    assert colours(transposed, max(row)) != expected  # a map drawn transposed would be seen
    explorer.root.get_by_role("combobox", name="Direction").select_option(label="is looked at by")
    column, _ = check(explorer)
    assert not np.allclose(column, row, atol=1e-3)  # rows taken for columns would be seen


def test_the_class_token_has_a_button_and_the_maps_take_clicks(explorer):
    explorer.root.locator(".pickable").nth(1).click(position={"x": 200, "y": 5})  # the upper right corner
    check(explorer, at=[0, 5, 4, 1 + 7])
    button = explorer.root.get_by_role("button", name="class token")
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    check(explorer, at=[0, 5, 4, 0])


def test_the_keys_move_from_patch_to_patch_and_leave_the_notebook_alone(explorer):
    active = explorer.page.evaluate(ACTIVE_CELL)
    explorer.root.get_by_label("One scale for all maps").focus()
    explorer.page.keyboard.press("Tab")
    moves = {"ArrowDown": "1, column 0", "ArrowRight": "1, column 1", "End": "1, column 7", "ArrowUp": "0, column 7"}
    moves |= {"Home": "0, column 0", "Control+End": "7, column 7", "ArrowLeft": "7, column 6"}
    for key, place in moves.items():
        explorer.page.keyboard.press(key)
        assert f"the patch in row {place} looks" in explorer.status(), key
        focused = explorer.page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert focused == f"patch row {place}"
    check(explorer, at=[0, 5, 4, 1 + 62])
    assert explorer.page.evaluate(ACTIVE_CELL) == active


def test_a_head_is_picked_from_all_of_them(explorer):
    small = explorer.root.get_by_role("grid", name="Layers and heads")
    small.get_by_role("button", name="Layer 3, head 1:").click()
    _, expected = check(explorer, at=[0, 3, 1, 0])
    shown = explorer.root.locator("canvas.thumb").nth(3 * 5 + 1)
    pixels = shown.evaluate("c => [...c.getContext('2d').getImageData(0, 0, 8, 8).data]")
    assert np.reshape(pixels, (64, 4))[:, :3].tolist() == expected
    written = explorer.root.locator(".small span").all_inner_texts()
    assert written[3 * 5 + 1] == f"{100 * max(explorer.kernel('self.values()[1:].tolist()')):.0f}%"
    explorer.page.keyboard.press("End")
    explorer.page.keyboard.press("ArrowUp")
    check(explorer, at=[0, 2, 4, 0])  # the mean of the heads
    distances = explorer.kernel("__import__('numpy').frombuffer(self.distances, '<f4').tolist()")
    label = small.locator("[aria-selected=true] button").get_attribute("aria-label")
    assert label == f"Layer 2, mean of the heads: mean attention distance {distances[2 * 5 + 4]:.1f} pixels"


def test_rollout_is_one_more_layer_and_has_no_heads(explorer):
    head = explorer.root.get_by_role("combobox", name="Head")
    assert head.is_enabled()
    explorer.root.get_by_role("combobox", name="Layer").select_option(label="all: rollout")
    check(explorer, at=[0, 6, 4, 0])
    assert head.is_disabled()
    assert explorer.status().startswith("Rollout through all layers: the class token")


def test_one_scale_for_all_maps(explorer):
    before = explorer.pixels("canvas.map")
    explorer.root.get_by_label("One scale for all maps").check()
    assert check(explorer)[1] != before
    assert f"{100 * explorer.kernel('self.largest'):.1f}%" in explorer.root.locator(".bar").inner_text()


def test_the_kernel_may_drive_it(explorer):
    explorer.run("attention.query, attention.layer, attention.head = 30, 1, 2")
    check(explorer, at=[0, 1, 2, 30])
    selected = explorer.root.locator("[aria-selected=true] button")
    assert selected.nth(0).get_attribute("aria-label") == "patch row 3, column 5"
    assert selected.nth(1).get_attribute("aria-label").startswith("Layer 1, head 2:")


def test_another_picture_comes_with_its_own_weights(explorer):
    before = explorer.pixels("canvas.map")
    explorer.root.get_by_role("combobox", name="Picture").select_option(index=3)
    name, probability = explorer.kernel("[setattr(self, 'image', 3), self.answer[0]][1]")
    explorer.root.get_by_text(f"{name} {100 * probability:.0f}%").wait_for()
    assert check(explorer, at=[3, 5, 4, 0])[1] != before
    assert explorer.pixels("canvas.picture") == explorer.kernel(
        "self.images[3].permute(1, 2, 0).flatten(0, 1).tolist()"
    )


def test_a_picture_of_ones_own(explorer):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 30)).save(file, "PNG")
    own = {"name": "own.png", "mimeType": "image/png", "buffer": file.getvalue()}
    explorer.root.locator("input[type=file]").set_input_files(own)
    explorer.root.get_by_text("This is your picture").wait_for()
    check(explorer, at=[explorer.kernel("len(self.names)") - 1, 5, 4, 0])
    assert explorer.pixels("canvas.picture") == [[200, 30, 30]] * 32 * 32
