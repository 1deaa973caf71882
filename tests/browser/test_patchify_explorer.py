"""The explorer of lesson 01 (patches) in JupyterLab: what mouse and keys set, what is drawn and what is said."""

import base64
import io

import numpy as np
import pytest
from lab_server import WIDGET
from PIL import Image

from course_utils.data import load_cifar10
from course_utils.model.patches import patchify

IMAGES = load_cifar10("test", sample="always").images[:6]
ACTIVE_CELL = f"() => {WIDGET}.content.activeCellIndex"
LABEL = (20, 13)  # width and height in pixels of the number on a tile


@pytest.fixture
def explorer(explorer_notebook):
    """The explorer at picture 0, P = 4, patch row 2, column 5."""
    opened = explorer_notebook.explorer("patchify")
    opened.run("patchify.image, patchify.patch_size, patchify.patch = 0, 4, 21")
    until_said(opened, "token 2 × 8 + 5 = 21 of 64")
    return opened


def until_said(explorer, words):
    explorer.root.locator('[role="status"]', has_text=words).wait_for(timeout=20_000)


def drawn(explorer, selector):
    """The colours of a canvas (height, width, 3). As a PNG they leave the browser much faster than as a list."""
    png = explorer.root.locator(selector).evaluate("canvas => canvas.toDataURL().split(',')[1]")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))


def frame(explorer, number):
    """Left, top and side, in CSS pixels, of the frame in the picture (0) or in the sequence (1)."""
    style = "mark => [mark.style.left, mark.style.top, mark.style.width].map(parseFloat)"
    return explorer.root.locator(".mark").nth(number).evaluate(style)


def place_of(explorer, token):
    """Left, top and side of a tile of the sequence; the canvas has one pixel for each CSS pixel."""
    side = frame(explorer, 1)[2]
    tile = side + 2
    in_line = explorer.root.locator(".tokens").evaluate("canvas => canvas.width") // tile
    return token % in_line * tile + 1, token // in_line * tile + 1, side


def check(explorer, patch):
    """Kernel, picture, sequence, frames, table and words agree. ``patch``: the one that must be marked."""
    image, p = IMAGES[explorer.kernel("self.image")], explorer.kernel("self.patch_size")
    columns = 32 // p
    assert explorer.kernel("self.patch") == patch
    np.testing.assert_array_equal(drawn(explorer, ".picture"), image.permute(1, 2, 0))

    tokens = patchify(image, p).reshape(-1, 3, p, p).permute(0, 2, 3, 1).numpy()  # (N, P, P, C)
    sequence = drawn(explorer, ".tokens")
    in_line = int(sequence.shape[1] // (frame(explorer, 1)[2] + 2))
    left, top, side = place_of(explorer, 0)
    steps = ((np.arange(p) + 0.5) * side / p).astype(int)  # the middle of each pixel of a patch
    free = (steps[:, None] >= LABEL[1]) | (steps[None, :] >= LABEL[0])  # (P, P): not under the number
    for token, pixels in enumerate(tokens):
        x, y = (int(start + at * (side + 2)) for start, at in ((left, token % in_line), (top, token // in_line)))
        np.testing.assert_array_equal(sequence[y + steps[:, None], x + steps][free], pixels[free])

    row, column = divmod(patch, columns)
    assert frame(explorer, 0) == [column * p * 8, row * p * 8, p * 8]
    assert frame(explorer, 1) == list(place_of(explorer, patch))
    said = f"Patch row {row}, column {column} is token {row} × {columns} + {column} = {patch} of {columns**2:,},"
    assert said in explorer.status()
    assert f"3 × {p} × {p} = {3 * p * p:,} numbers" in explorer.status()
    assert explorer.root.locator('tr[aria-current="true"] th').all_inner_texts() == [f"{p} × {p}"]


def test_a_click_on_a_patch_marks_its_token(explorer):
    check(explorer, patch=21)
    explorer.root.get_by_label("patch row 5, column 2", exact=True).click()
    check(explorer, patch=5 * 8 + 2)  # not 2 * 8 + 5
    selected = explorer.root.locator('[aria-selected="true"] button')
    assert selected.evaluate_all("all => all.map(each => each.ariaLabel)") == ["patch row 5, column 2"]


def test_a_click_on_a_token_marks_its_patch(explorer):
    left, top, side = place_of(explorer, 47)
    explorer.root.locator(".tokens").click(position={"x": left + side / 2, "y": top + side / 2})
    check(explorer, patch=47)


def test_the_slider_of_the_tokens_walks_along_the_rows(explorer):
    explorer.run("patchify.patch = 23")  # the last of its row
    until_said(explorer, "= 23 of 64")
    explorer.root.get_by_role("slider", name="Token").focus()
    explorer.page.keyboard.press("ArrowRight")
    check(explorer, patch=24)
    assert "row 3, column 0" in explorer.root.get_by_role("slider", name="Token").get_attribute("aria-valuetext")
    explorer.page.keyboard.press("End")
    check(explorer, patch=63)


def test_the_keys_move_the_mark_and_leave_the_notebook_alone(explorer):
    active = explorer.page.evaluate(ACTIVE_CELL)
    explorer.root.locator("select").focus()
    while explorer.page.evaluate("() => document.activeElement.ariaLabel") != "patch row 2, column 5":
        explorer.page.keyboard.press("Tab")
    explorer.page.keyboard.press("ArrowDown")
    check(explorer, patch=21 + 8)
    explorer.page.keyboard.press("Home")
    check(explorer, patch=3 * 8)
    explorer.page.keyboard.press("Control+End")
    check(explorer, patch=63)
    assert explorer.page.evaluate(ACTIVE_CELL) == active


def test_another_patch_size_cuts_anew_and_leaves_the_mark_on_its_place(explorer):
    explorer.root.get_by_role("slider", name="Patch size").focus()
    explorer.page.keyboard.press("ArrowRight")
    check(explorer, patch=1 * 4 + 2)  # P = 8: rows 8 to 15, columns 16 to 23
    explorer.page.keyboard.press("Home")  # P = 1: too many patches for buttons, but not for clicks
    check(explorer, patch=10 * 32 + 22)
    explorer.root.locator(".lines").click(position={"x": 30 * 8 + 4, "y": 3 * 8 + 4})
    check(explorer, patch=3 * 32 + 30)
    for patch_size, patch in ((2, 1 * 16 + 15), (4, 7)):
        explorer.page.keyboard.press("Tab")  # a click on a canvas takes the focus away
        explorer.root.get_by_role("slider", name="Patch size").focus()
        explorer.page.keyboard.press("ArrowRight")
        check(explorer, patch)
        assert explorer.kernel("self.patch_size") == patch_size


def test_the_kernel_can_drive_it(explorer):
    explorer.run("patchify.patch_size, patchify.patch, patchify.image = 16, 2, 3")
    until_said(explorer, "= 2 of 4,")
    explorer.root.get_by_role("combobox", name="Picture").select_option(index=4)
    check(explorer, patch=2)
    assert explorer.kernel("self.image") == 4


def test_the_table_holds_what_python_counted(explorer):
    costs = explorer.kernel("self.costs")
    rows = [row.locator("td").all_inner_texts() for row in explorer.root.locator("tbody tr").all()]
    assert len(rows) == len(costs) == 6
    for shown, cost in zip(rows, costs, strict=True):
        exact = [cost[name] for name in ("numbers", "scores", "patch embedding", "positions")]
        assert [int(text.replace(",", "")) for text in shown[1:5]] == exact
        assert shown[0] == f"{cost['patches']:,} + {cost['others']}"
        total, share, relative = (float(text.strip("%×\n").replace(",", "")) for text in shown[5:])
        assert total == pytest.approx(cost["multiply-adds"] / 1e6, rel=0.006)
        assert share == pytest.approx(100 * cost["attention share"], rel=0.06)
        assert relative == pytest.approx(cost["relative"], rel=0.06)
    bars = explorer.root.locator(".cost i").evaluate_all("all => all.map(each => parseFloat(each.style.width))")
    relative = np.array([cost["relative"] for cost in costs])
    np.testing.assert_allclose(np.divide(bars, bars[0]), relative / relative[0], rtol=1e-3)


def test_a_persons_own_picture_is_cut_too_and_a_second_one_as_well(explorer):
    before = explorer.kernel("len(self.names)")
    for number, colour in enumerate(((200, 30, 30), (20, 40, 220))):
        file = io.BytesIO()
        Image.new("RGB", (50, 40), colour).save(file, "PNG")
        own = {"name": "own.png", "mimeType": "image/png", "buffer": file.getvalue()}
        explorer.root.locator("input[type=file]").set_input_files(own)
        explorer.root.locator("option", has_text=f"your picture {before + number + 1}").wait_for(state="attached")
        explorer.root.locator('[role="alert"]', has_text="This is your picture").wait_for(timeout=5_000)
        assert np.unique(drawn(explorer, ".picture").reshape(-1, 3), axis=0).tolist() == [list(colour)]
    assert explorer.kernel("self.image") == before + 1
