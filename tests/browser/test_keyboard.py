"""Each explorer by keyboard alone: Tab reaches every control once, and leaves again."""

import pytest
from open_explorer import CELLS

NAME_OF_FOCUS = """element => {
    const focus = document.activeElement;
    if (!element.contains(focus)) return null;
    const label = focus.getAttribute('aria-label') || focus.labels?.[0]?.innerText || focus.innerText;
    const grid = focus.closest('[role=grid]')?.getAttribute('aria-label');
    return [grid ? `${grid}: ` : '', label.split('\\n')[0].trim(), ` (${focus.type || focus.tagName})`].join('');
}"""
STOPS = """element => [...element.querySelectorAll('a[href], button, input, select, [tabindex]')]
    .filter(each => each.tabIndex >= 0 && !each.disabled && each.offsetParent).length"""


def tab_stops(explorer) -> list[str]:
    """Names of all places that Tab reaches inside the explorer, in their order."""
    root = explorer.root.element_handle()
    explorer.root.evaluate(
        "element => { const before = document.createElement('button'); before.id = 'before'; element.before(before) }"
    )
    explorer.page.locator("#before").focus()
    found = []
    while True:
        explorer.page.keyboard.press("Tab")
        name = explorer.page.evaluate(NAME_OF_FOCUS, root)
        if name is None or len(found) > 40:
            break
        found.append(name)
    explorer.page.locator("#before").evaluate("element => element.remove()")
    return found


@pytest.mark.parametrize("name", CELLS)
def test_tab_reaches_every_control_once_and_each_has_a_name(explorer_notebook, name):
    explorer = explorer_notebook.explorer(name)
    found = tab_stops(explorer)
    print(f"{name}: {'; '.join(found)}")
    assert len(found) == len(set(found)) == explorer.root.evaluate(STOPS) >= 2
    assert all(stop.rpartition(" (")[0].strip(": ") for stop in found), found
    grids = explorer.root.locator("[role=grid]:visible").count()  # what another test chose may hide one
    assert sum(": " in stop for stop in found) >= grids  # a grid is one stop, not one for each cell
