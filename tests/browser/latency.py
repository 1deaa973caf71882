"""Measure how long an explorer takes from the input to the repaint: python tests/browser/latency.py

Twenty times each, in JupyterLab in a headless chromium on this machine: median and 90th percentile, in milliseconds.
The clock starts when the event is sent inside the page. "ready": the explorer has drawn anew and the page is laid out.
"shown": the frame after it has been painted; a browser paints 60 frames a second, so up to 17 ms of this is waiting.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from lab_server import BROWSER_ARGUMENTS, JupyterLab, find_chromium
from open_explorer import ExplorerNotebook, OpenExplorer
from playwright.sync_api import sync_playwright

TIMES = 20
CELLS = {
    "attention": "attention = explore.AttentionExplorer.from_model(model, images, names)\nattention.show()",
    "fine": """\
import torch
from course_utils import ViTConfig, VisionTransformer

fine_model = VisionTransformer(ViTConfig.preset("cifar_micro", patch_size=2)).eval()
fine = explore.AttentionExplorer.from_model(fine_model, images, names)
fine.show()""",
    "patchify": "patchify = explore.PatchifyExplorer(images, names)\npatchify.show()",
    "patch_size": "patch_size = explore.PatchSizeExplorer(model, images, names)\npatch_size.show()",
}
# In the page: send an event, wait for the redraw that it leads to, then for the frame that shows it.
MEASURE = """async ([root, action]) => {
    const act = {
        click: () => {
            // Not the one that is picked already: nothing would change.
            const buttons = [...root.querySelector('.grid').querySelectorAll('button[tabindex="-1"]')];
            buttons[Math.floor(Math.random() * buttons.length)].click();
        },
        slide: () => {
            const slider = root.querySelector('input[type=range]');
            slider.value = (Number(slider.value) + 1) % (Number(slider.max) + 1);
            slider.dispatchEvent(new Event('input'));
        },
        picture: () => {
            const select = root.querySelector('select');
            select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
            select.dispatchEvent(new Event('change'));
        },
    }[action];
    const before = root.dataset.paints;
    const start = performance.now();
    const drawn = root.dataset.paints !== before
        ? Promise.resolve() : new Promise(done => root.addEventListener('painted', done, {once: true}));
    act();
    await drawn;
    root.getBoundingClientRect(); // lays the page out
    const ready = performance.now() - start;
    await new Promise(done => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = done;
        channel.port2.postMessage(0);
    }));
    return [ready, performance.now() - start];
}"""


def measure(explorer: OpenExplorer, action: str) -> list[tuple[float, float]]:
    """Milliseconds until ready and until shown, of each repetition; the first two are left out."""
    handle = explorer.root.element_handle()
    times = []
    for _ in range(TIMES + 2):
        times.append(explorer.page.evaluate(MEASURE, [handle, action]))
        explorer.page.wait_for_timeout(50)
    return times[2:]


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder) / "course"
        (root / "notebooks").mkdir(parents=True)
        lab = JupyterLab(root, Path(folder) / "jupyter")
        try:
            lab.wait()
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=BROWSER_ARGUMENTS)
            notebook = ExplorerNotebook(browser, lab, CELLS)
            print(f"{'explorer':12}{'tokens':>8}  {f'median and p90 in ms, n = {TIMES}':32}{'ready':>14}{'shown':>16}")
            for name, tokens, action, what in (
                ("attention", 65, "click", "click on a patch"),
                ("fine", 257, "click", "click on a patch"),
                ("patchify", "-", "slide", "slider of the patch size"),
                ("patch_size", "-", "slide", "slider of the patch size"),
                ("attention", 65, "picture", "new picture (kernel)"),
                ("fine", 257, "picture", "new picture (kernel)"),
                ("patch_size", "-", "picture", "new picture (kernel)"),
            ):
                columns = zip(*measure(notebook.explorer(name), action), strict=True)
                figures = [
                    f"{statistics.median(each):8.1f}{statistics.quantiles(each, n=10)[-1]:8.1f}" for each in columns
                ]
                print(f"{name:12}{tokens:>8}  {what:30}{''.join(figures)}")
        finally:
            lab.stop()


if __name__ == "__main__":
    main()
