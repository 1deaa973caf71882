"""A JupyterLab of our own on the loopback, and a browser that opens lessons in it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "docmanager-extension/plugin": {"autosave": False},
}
WIDGET = "window.jupyterapp.shell.currentWidget"
STATE = """() => {
    const notebook = window.jupyterapp.shell.currentWidget;
    const cells = [...notebook.content.model.cells].filter(cell => cell.type === 'code');
    const outputs = cell => [...Array(cell.outputs.length).keys()].map(i => cell.outputs.get(i));
    return {
        cells: cells.length,
        run: cells.filter(cell => cell.executionCount && cell.executionState !== 'running').length,
        errors: cells.filter(cell => outputs(cell).some(each => each.type === 'error')).map(cell => cell.id),
        kernel: notebook.sessionContext.session.kernel.status,
    };
}"""


def find_chromium() -> str | None:
    """Return the path of an installed chromium, or None."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


class JupyterLab:
    """A server over a folder. All its own files go to a temporary folder."""

    def __init__(self, root: Path, own: Path) -> None:
        self.root = root
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        for name, content in SETTINGS.items():
            path = own / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime",
                   "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}  # fmt: skip
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.address.rpartition(":")[2],
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": root,
            "ServerApp.password": "",
            "ServerApp.disable_check_xsrf": True,
            "IdentityProvider.token": "",
            "LabApp.extension_manager": "readonly",
        }
        self.log = own / "server.log"
        with self.log.open("w") as log:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
                + [f"--{name}={value}" for name, value in options.items()],
                env={**os.environ, "CIFAR10_OFFLINE": "1", **{name: str(own / f) for name, f in folders.items()}},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, seconds: float = 60) -> None:
        """Wait until the server answers."""
        port = int(self.address.rpartition(":")[2])
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.2)
        raise TimeoutError(f"JupyterLab did not start:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        """End the server and its kernels."""
        os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()


class OpenLesson:
    """One lesson in a page of its own. It keeps what went wrong and what was asked for outside the loopback."""

    def __init__(self, browser: Browser, lab: JupyterLab, name: str) -> None:
        self.page: Page = browser.new_page(viewport={"width": 1300, "height": 1300})
        self.page_errors: list[str] = []
        self.requests_outside: list[str] = []
        ours = (lab.address, lab.address.replace("http", "ws"), "data:", "blob:")
        self.page.on("pageerror", lambda error: self.page_errors.append(str(error)))
        self.page.on("request", lambda asked: asked.url.startswith(ours) or self.requests_outside.append(asked.url))
        self.page.goto(f"{lab.address}/lab/tree/notebooks/{name}?reset", timeout=120_000)
        self.page.wait_for_function(f"window.jupyterapp && {WIDGET} && {WIDGET}.context", timeout=180_000)
        self.page.evaluate(f"""async () => {{
            await window.jupyterapp.restored;
            await {WIDGET}.context.ready;
            await {WIDGET}.sessionContext.ready;
        }}""")

    def replace(self, old: str, new: str) -> int:
        """Replace text in the code cells of the open lesson, not in its file; return in how many."""
        return self.page.evaluate(
            f"""([old, fresh]) => {{
            const cells = [...{WIDGET}.content.model.cells].filter(cell => cell.sharedModel.getSource().includes(old));
            cells.forEach(cell => cell.sharedModel.setSource(cell.sharedModel.getSource().replace(old, fresh)));
            return cells.length;
        }}""",
            [old, new],
        )

    def run_all(self, seconds: float) -> dict[str, Any]:
        """Run every cell and return the state: cells, run, errors (ids of cells), kernel."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
        # Committed outputs carry counts too: first wait until the counts are gone or the kernel works.
        self.page.wait_for_function(f"() => {{ const s = ({STATE})(); return s.kernel === 'busy' || s.run < s.cells }}")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = self.page.evaluate(STATE)
            if state["errors"] or (state["run"] == state["cells"] and state["kernel"] == "idle"):
                return state
            time.sleep(0.5)
        raise TimeoutError(f"Not all cells ran in {seconds:.0f} s: {state}")

    def close(self) -> None:
        """End the kernel and close the page."""
        self.page.evaluate(f"async () => {{ await {WIDGET}.sessionContext.shutdown() }}")
        self.page.close()
