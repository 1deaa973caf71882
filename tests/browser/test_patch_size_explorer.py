"""The patch size explorer in JupyterLab: slider and keys set the size, and the page says what the kernel says."""

import pytest


@pytest.fixture
def explorer(explorer_notebook):
    opened = explorer_notebook.explorer("patch_size")
    opened.run("patch_size.image, patch_size.patch_size = 0, 4")
    says_what_the_kernel_says(opened)
    return opened


def says_what_the_kernel_says(explorer):
    words = explorer.kernel("self.in_words()")
    explorer.root.locator('[role="status"]', has_text=words).wait_for(timeout=20_000)


def test_the_slider_sets_the_size(explorer):
    slider = explorer.root.locator('input[type="range"]')
    slider.focus()
    slider.press("ArrowRight")
    explorer.root.locator("output", has_text="8 × 8 pixels").wait_for(timeout=20_000)
    assert explorer.kernel("self.patch_size") == 8
    says_what_the_kernel_says(explorer)


def test_keys_move_the_map_too_and_the_page_draws_the_kernels_numbers(explorer):
    slider = explorer.root.locator('input[type="range"]')
    slider.focus()
    slider.press("Home")
    says_what_the_kernel_says(explorer)
    smallest = explorer.kernel("self.sizes[0]")
    assert explorer.kernel("self.patch_size") == smallest
    drawn = explorer.root.locator("canvas.map").evaluate("map => [map.width, map.height]")
    assert drawn == [32 // smallest, 32 // smallest]
    brightest = explorer.root.locator("canvas.map").evaluate(
        "map => { const d = map.getContext('2d').getImageData(0, 0, map.width, map.height).data;"
        " let best = 0; for (let i = 0; i < d.length; i += 4) if (d[i + 1] > d[best + 1]) best = i; return best / 4; }"
    )  # the palette's last colour is its greenest
    values = explorer.kernel("self.maps[0]")
    assert values[brightest] > 0.99 * max(values)


def test_the_mouse_moves_the_slider(explorer):
    slider = explorer.root.locator('input[type="range"]')
    box = slider.bounding_box()
    slider.click(position={"x": box["width"] - 4, "y": box["height"] / 2})
    says_what_the_kernel_says(explorer)
    assert explorer.kernel("self.patch_size == self.sizes[-1]")


def test_another_picture_gets_other_answers(explorer):
    explorer.root.locator("select").first.select_option("2")
    explorer.page.wait_for_timeout(500)
    assert explorer.kernel("self.image") == 2
    says_what_the_kernel_says(explorer)
    shown = explorer.root.locator("tbody tr").count()
    assert shown == explorer.kernel("len(self.classes)")
