"""The training explorer in JupyterLab: by mouse and by keyboard, and what it draws against what Python computes."""

import numpy as np
import pytest

from course_utils.explore import TrainingExplorer
from course_utils.plots.attention import MOST_TINT

ACTIVE_CELL = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"


@pytest.fixture
def training(explorer_notebook):
    explorer = explorer_notebook.explorer("training")
    explorer.run("training.epoch, training.image, training.layer = 5, 0, training.layers - 1")
    explorer.page.wait_for_function(
        "element => element.querySelector('input').value === '5'", arg=explorer.root.element_handle()
    )
    return explorer


def kernel_has(training, **choice):
    """Whether the kernel is told of a choice. A message may wait for the one before it, so it has two seconds."""
    for _ in range(40):
        told = {name: training.kernel(f"self.{name}") for name in choice}
        if told == choice:
            return True
        training.page.wait_for_timeout(50)
    raise AssertionError(f"The kernel has {told}, not {choice}.")


def colours(training, values):
    """What Python's palette says for values from 0 to 1: (n, 3)."""
    palette = np.array(training.kernel("list(self.palette)")).reshape(256, 3)
    return palette[np.clip(np.floor(256 * np.asarray(values)), 0, 255).astype(int).ravel()]


def words_of(training):
    """What the status line must begin with, as the kernel sees it."""
    return training.kernel("self.words[self.epoch]")


def drawn_confusion(training):
    return training.root.locator(".confusion td").evaluate_all(
        """cells => cells.map(cell => [cell.textContent, ...getComputedStyle(cell).backgroundColor.match(/\\d+/g)])"""
    )


def check_confusion(training):
    counts = np.array(training.kernel("self.snapshots['confusion'][self.epoch].tolist()"))
    assert not np.array_equal(counts, counts.T)
    drawn = np.array(drawn_confusion(training), dtype=int)  # (K * K, 4): count, red, green, blue
    assert drawn[:, 0].tolist() == counts.ravel().tolist()
    np.testing.assert_allclose(drawn[:, 1:], colours(training, counts / counts.sum(axis=1, keepdims=True)), atol=1)


def check_map(training):
    weights = np.array(training.kernel("self.snapshots['class_maps'][self.epoch, self.image, self.layer].tolist()"))
    assert not np.allclose(weights, weights.T)
    opacity = np.array(training.pixels("canvas.map", opacity=True))[:, 3]
    np.testing.assert_allclose(opacity, 255 * MOST_TINT * weights.ravel() / weights.max(), atol=8)


def test_the_slider_goes_through_the_epochs_by_keyboard(training):
    slider = training.root.get_by_role("slider", name="Epoch")
    slider.focus()
    cell = training.page.evaluate(ACTIVE_CELL)
    for key, epoch in (("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        slider.press(key)
        assert kernel_has(training, epoch=epoch)
        assert training.status().startswith(words_of(training))
        check_confusion(training)
        check_map(training)
    slider.press("End")
    assert kernel_has(training, epoch=training.kernel("len(self.epochs) - 1"))
    assert training.page.evaluate(ACTIVE_CELL) == cell


def test_the_untrained_model_has_an_accuracy_but_no_loss(training):
    training.root.get_by_role("slider", name="Epoch").press("Home")
    captions = training.root.locator(".chart figcaption").all_inner_texts()
    accuracy = training.kernel(
        "float(self.snapshots['confusion'][0].diag().sum() / self.snapshots['confusion'][0].sum())"
    )
    assert captions == [
        "Loss (nats): ● training none, □ validation none",
        f"Accuracy: ● training none, □ validation {accuracy:.1%}",
    ]
    training.root.get_by_role("slider", name="Epoch").press("ArrowRight")
    first = training.kernel("self.record['epochs'][0]")
    assert training.root.locator(".chart figcaption").all_inner_texts() == [
        f"Loss (nats): ● training {first['train_loss']:.3f}, □ validation {first['validation_loss']:.3f}",
        f"Accuracy: ● training {first['train_accuracy']:.1%}, □ validation {first['validation_accuracy']:.1%}",
    ]


def test_every_picture_says_what_the_model_said(training):
    says = training.kernel("[self.classes[k] for k in self.says[self.epoch]]")
    right = training.kernel("self.right[self.epoch].tolist()")
    names = training.kernel("self.picture_names")
    cards = training.root.locator(".pictures button").all_inner_texts()
    assert [card.split("\n")[:2] for card in cards] == [
        [name, f"{'✓' if yes else '✗'} {said}"] for name, yes, said in zip(names, right, says, strict=True)
    ]
    assert ["right" in card for card in cards] == right


def test_a_click_picks_a_picture(training):
    name = "cat 2"
    training.root.get_by_role("button", name=name).click()
    assert kernel_has(training, epoch=5, image=training.kernel(f"self.picture_names.index('{name}')"))
    check_map(training)
    shares = training.kernel("self.snapshots['logits'][self.epoch, self.image].softmax(dim=0).tolist()")
    classes = training.kernel("self.classes")
    best = sorted(range(len(shares)), key=lambda k: -shares[k])
    rows = training.root.locator(".shares tbody tr")
    for place, k in enumerate(best[:5]):
        assert rows.nth(place).locator("th").inner_text().removesuffix(" (true)") == classes[k]
        assert float(rows.nth(place).locator("td").first.inner_text().rstrip("%")) == pytest.approx(
            100 * shares[k], abs=0.06
        )
    assert f"{name}: {classes[best[0]]}" in training.status()
    training.root.get_by_role("combobox").select_option(value="2")
    assert kernel_has(training, layer=2)
    check_map(training)


def test_the_pictures_are_one_tab_stop_and_arrows_move_in_them(training):
    training.root.get_by_role("button", name="airplane 1").focus()
    cell = training.page.evaluate(ACTIVE_CELL)
    across = training.root.locator(".pictures [role=row]").first.locator("button").count()
    for key, image in (
        ("ArrowDown", across),
        ("ArrowRight", across + 1),
        ("End", 2 * across - 1),
        ("Home", across),
        ("ArrowUp", 0),
    ):
        training.page.keyboard.press(key)
        assert kernel_has(training, image=image)
        assert training.root.locator("[aria-selected=true]").count() == 1
    assert training.root.locator(".pictures button[tabindex='0']").count() == 1
    assert training.page.evaluate(ACTIVE_CELL) == cell


def test_a_click_into_a_chart_chooses_the_nearest_epoch(training):
    chart = training.root.locator(".chart svg").first
    line = training.root.locator(".chart svg line.cursor").first.bounding_box()  # stands at epoch 5
    box = chart.bounding_box()
    zero = box["x"] + 36 / 328 * box["width"]
    per_epoch = (line["x"] - zero) / training.kernel("self.epochs[5]")
    chart.click(position={"x": zero + 3.2 * per_epoch - box["x"], "y": box["height"] / 2})
    assert kernel_has(training, epoch=3)


def test_the_kernel_can_drive_it(training):
    before = training.paints()
    training.run("training.epoch = 3")
    training.until_painted(before)
    assert training.root.get_by_role("slider", name="Epoch").input_value() == "3"
    assert training.status().startswith(words_of(training))
    check_confusion(training)


def test_play_runs_to_the_end_and_can_be_stopped(training):
    training.run("training.epoch = len(training.epochs) - 2")
    training.page.wait_for_function(
        "element => element.querySelector('input').value !== '5'", arg=training.root.element_handle()
    )
    button = training.root.get_by_role("button", name="Play")
    button.click()
    training.root.get_by_role("button", name="Pause").wait_for()
    button.wait_for()  # it has come to the end by itself
    assert kernel_has(training, epoch=training.kernel("len(self.epochs) - 1"))
    button.evaluate("button => { button.click(); button.click() }")  # from the start again, and stopped at once
    assert kernel_has(training, epoch=0)
    assert button.inner_text() == "Play"


def test_its_page_works_without_kernel_and_without_motion(browser, tmp_path):
    explorer = TrainingExplorer.from_snapshots("cifar_micro")
    explorer.to_html(tmp_path / "page.html")
    page = browser.new_page(reduced_motion="reduce", viewport={"width": 700, "height": 900})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((tmp_path / "page.html").as_uri())
    page.get_by_role("slider", name="Epoch").press("Home")
    assert page.locator('[role="status"]').inner_text().startswith(explorer.words[0])
    assert page.get_by_role("button", name="Play").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    assert errors == []
    page.close()
