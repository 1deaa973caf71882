"""Each explorer's tree of controls, looked at by axe-core: nothing that it calls serious or critical."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from open_explorer import CELLS


def serious(explorer) -> list[str]:
    """What axe-core finds in one explorer, as lines of text."""
    explorer.root.evaluate("element => element.setAttribute('data-under-test', '')")
    found = Axe().run(explorer.page, context="[data-under-test]").response["violations"]
    explorer.root.evaluate("element => element.removeAttribute('data-under-test')")
    return [
        f"{each['id']}: {node['html']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", CELLS)
def test_it_has_no_serious_fault(explorer_notebook, name):
    assert serious(explorer_notebook.explorer(name)) == []


def test_a_fault_would_be_seen(explorer_notebook):
    """Otherwise the test above would show nothing."""
    explorer = explorer_notebook.explorer(explorer_notebook.names[0])
    explorer.root.evaluate(
        "element => element.append(Object.assign(document.createElement('button'), {id: 'planted'}))"
    )
    assert any("planted" in each for each in serious(explorer))
    explorer.root.evaluate("element => element.querySelector('#planted').remove()")
