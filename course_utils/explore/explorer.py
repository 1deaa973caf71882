"""What all explorers share: a widget where a kernel runs, a picture where none does, a page of its own on request.

An explorer computes in Python and draws in the browser. Its class holds what is shown as traits, and a file of
JavaScript beside it draws them; what the person picks comes back as traits too. All data of a view are in the browser,
so that a click needs no kernel.

The parts of an explorer stand side by side and are joined by name: ``attention.py`` (the class), ``attention.js``
(which defines ``render``), ``attention.css`` (if it needs any) and ``attention_picture.py``.
"""

from __future__ import annotations

import base64
import html
import io
import json
import os
import string
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import matplotlib as mpl
import numpy as np
import torch
import traitlets
from IPython.display import display
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data import load_cifar10
from course_utils.data.picture import load_picture
from course_utils.model.config import ViTConfig
from course_utils.plots.style import display_array

HERE = Path(__file__).parent
MODES = ("live", "static")
LARGEST_UPLOAD = 8_000_000  # bytes; JupyterLab's connection ends at a message of 10 MB


def widgets_on() -> bool:
    """Whether explorers are shown as widgets. COURSE_WIDGETS=static turns them to pictures.

    Raises:
        ValueError: COURSE_WIDGETS holds another word.
    """
    mode = os.environ.get("COURSE_WIDGETS") or "live"
    if mode not in MODES:
        raise ValueError(f"COURSE_WIDGETS is {mode!r}: set it to {' or '.join(MODES)}, or leave it out.")
    return mode == "live"


def palette_bytes(name: str) -> bytes:
    """Return the 256 colours of one of matplotlib's colour maps as red, green and blue bytes."""
    return mpl.colormaps[name](np.arange(256), bytes=True)[:, :3].tobytes()


def image_bytes(images: Tensor) -> bytes:
    """Turn images (count, C, H, W), uint8 or floats from 0 to 1, into bytes in the order (count, H, W, 3)."""
    in_colour = to_uint8(images).expand(-1, 3, -1, -1)  # (count, C, H, W), grey or not -> (count, 3, H, W)
    return in_colour.permute(0, 2, 3, 1).numpy().tobytes()


def to_uint8(images: Tensor) -> Tensor:
    """Turn images (count, C, H, W), grey or in colour, uint8 or floats from 0 to 1, into uint8.

    Raises:
        ValueError: The images are normalised.
    """
    count, channels, height, width = images.shape
    pixels = np.stack([display_array(image) for image in images])  # -> (count, H, W, 3), or (count, H, W) if grey
    pixels = (255 * pixels).round().astype(np.uint8).reshape(count, height, width, channels)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)  # -> (count, C, H, W)


def prefix_names(config: ViTConfig) -> list[str]:
    """Name the tokens before the patches."""
    class_token = ["class token"] if config.has_class_token else []
    return class_token + [f"register {index}" for index in range(config.num_registers)]


def first_query(prefix: Sequence[str], grid: tuple[int, int]) -> int:
    """Return the token to begin with: the class token, or else the patch in the middle."""
    rows, columns = grid
    return 0 if "class token" in prefix else len(prefix) + rows // 2 * columns + columns // 2


def example_pictures() -> tuple[Tensor, list[str]]:
    """Return six test images of the sample that ships with the course, (6, 3, H, W), and their classes."""
    test_set = load_cifar10("test", sample="always")
    return test_set.images[:6], [test_set.classes[label] for label in test_set.labels[:6]]


def is_one_of(value: Any, options: Sequence[int] | Sequence[str]) -> bool:
    """Whether a value is one of these numbers or words. Neither ``True`` nor 1.0 is the number 1."""
    return type(value) in (int, str) and value in options


class Choice(traitlets.TraitType):
    """What a person picks: one of the numbers or words that the explorer has to offer. All else is refused.

    Args:
        options: From the explorer to what it has to offer, which may change as it goes on.
        start: What is picked at first.
        note: Said to whoever picks something else.
    """

    def __init__(
        self, options: Callable[[Any], Sequence[int] | Sequence[str]], start: int | str = 0, note: str = ""
    ) -> None:
        super().__init__(start)
        self.options, self.note = options, note
        self.tag(sync=True, picked=True)

    def validate(self, explorer: Any, value: Any) -> int | str:
        """Return the value, or refuse it with a sentence that says what there is."""
        options = self.options(explorer)
        if is_one_of(value, options):
            return value
        known = (
            f"a number from {options[0]} to {options[-1]}"
            if isinstance(options, range)
            else f"one of {', '.join(map(str, options))}"
        )
        name = str(self.name).replace("_", " ")
        raise traitlets.TraitError(f"There is no {name} {value!r}: choose {known}{self.note and f'; {self.note}'}.")


class Explorer(anywidget.AnyWidget):
    """Base of all explorers.

    A subclass stands in a file of its own, with its JavaScript beside it. It has a ``summary``, one sentence for pages
    without a kernel, and defines :meth:`picture` and :meth:`example`. Of its traits the browser may change those alone
    that are tagged as ``picked``; each :class:`Choice` is.
    """

    summary: ClassVar[str]

    _css = (HERE / "common.css").read_text(encoding="utf-8")
    _ipython_display_ = None  # ipywidgets 7 would show the widget alone, without picture

    palette = traitlets.Bytes(palette_bytes("viridis")).tag(sync=True)

    def __init_subclass__(cls, **settings: Any) -> None:
        own = Path(getattr(sys.modules[cls.__module__], "__file__", None) or HERE)  # a notebook's cell has no file
        script, style = own.with_suffix(".js"), own.with_suffix(".css")
        # anywidget makes a class of each explorer, which has both already.
        if script.exists() and "_esm" not in cls.__dict__:
            parts = [path.read_text(encoding="utf-8") for path in (HERE / "common.js", script)]
            cls._esm = "\n".join([*parts, "export default { render };\n"])
        if style.exists() and "_css" not in cls.__dict__:
            cls._css = Explorer._css + style.read_text(encoding="utf-8")
        super().__init_subclass__(**settings)

    def __repr__(self) -> str:
        return self.summary

    def picture(self) -> Figure:
        """Draw what the explorer shows now, as a figure with a description (``course_utils.plots``)."""
        raise NotImplementedError

    @classmethod
    def example(cls) -> Explorer:
        """Make one over pictures and weights that ship with the course, to try it: ``Explorer.example().show()``."""
        raise NotImplementedError

    def show(self) -> None:
        """Show the explorer in the notebook: the widget, or with COURSE_WIDGETS=static its picture."""
        display(self)

    def _repr_mimebundle_(self, **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return widget, picture and words; a page takes the first of them that it can show."""
        picture = self.picture()
        data = {"text/plain": self.summary, "image/png": _png(picture)}
        metadata: dict[str, Any] = {"image/png": {"alt": picture.get_label()}}
        widget = super()._repr_mimebundle_(**settings) if widgets_on() else None
        if widget is not None:
            data, metadata = widget[0] | data, widget[1] | metadata
        return data, metadata

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take a message from the browser, as a whole or not at all.

        Raises:
            traitlets.TraitError: It has something else for us than what a person picks, or picks what is not there.
        """
        ours = set(self.trait_names()) - set(anywidget.AnyWidget.class_trait_names())
        facts = (set(sync_data) & ours) - set(self.traits(picked=True))
        if facts:
            raise traitlets.TraitError(f"The browser may not change this: {', '.join(sorted(facts))}.")
        super().set_state(sync_data)

    def answers(self) -> dict[int, dict[str, Any]]:
        """What the kernel says to each value of ``image``: image -> trait -> value. Nothing, if it is not asked."""
        return {}

    def to_html(self, path: str | Path | None = None) -> str:
        """Make a page that works without a kernel and without a network.

        Args:
            path: Where to write it; None writes nothing.

        Returns:
            The page.
        """
        skipped = {"upload", "layout", "comm", "keys"}
        names = [name for name in self.keys if not name.startswith("_") and name not in skipped]
        state = {name: getattr(self, name) for name in names}
        picture = self.picture()
        page = string.Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
            title=type(self).__name__,
            summary=html.escape(self.summary),
            style=self._css,
            script=self._esm.replace("export default", "//"),
            words=html.escape(str(picture.get_label())),
            picture=_png(picture),
            state=_to_json(state),
            answers=_to_json(self.answers()),
        )
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page


class PictureExplorer(Explorer):
    """Base of the explorers that look at pictures; a person can bring their own. ``images`` holds them as uint8.

    Args:
        images: (count, C, H, W), grey or in colour, uint8, or floats from 0 to 1: not normalised.
        names: One for each image.

    Raises:
        ValueError: There are no images, or not one name for each.
    """

    pictures = traitlets.Bytes().tag(sync=True)  # (count, H, W, 3)
    picture_size = traitlets.Tuple(traitlets.Int(), traitlets.Int()).tag(sync=True)  # H, W
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    image = Choice(lambda explorer: range(len(explorer.images)))  # which one is shown
    # A file from the browser; it comes as a memoryview, which traitlets would not take for bytes.
    upload = traitlets.Bytes().tag(sync=True, picked=True, echo_update=False, from_json=lambda value, _: bytes(value))
    largest_upload = traitlets.Int(LARGEST_UPLOAD, read_only=True).tag(sync=True)
    message = traitlets.Unicode().tag(sync=True, picked=True)  # what became of the upload
    answered = traitlets.Int(-1).tag(sync=True)  # the picture that the traits of look_at belong to

    def __init__(self, images: Tensor, names: list[str], **traits: Any) -> None:
        if images.ndim != 4 or images.shape[1] not in (1, 3) or not len(images):
            raise ValueError(
                f"An explorer needs images of shape (count, 3, H, W), or (count, 1, H, W), not {tuple(images.shape)}."
            )
        if len(names) != len(images):
            raise ValueError(f"There are {len(names)} names for {len(images)} images.")
        self.images = to_uint8(images)
        height, width = images.shape[-2:]
        super().__init__(
            pictures=image_bytes(self.images), picture_size=(height, width), names=list(map(str, names)), **traits
        )
        self._show_picture()

    def look_at(self, index: int) -> dict[str, Any]:
        """Compute the traits that belong to one picture. None, where the browser has all."""
        return {}

    def answers(self) -> dict[int, dict[str, Any]]:
        """See :meth:`Explorer.answers`: what :meth:`look_at` says of each picture."""
        return {index: self._answer(index) for index in range(len(self.images))}

    def _answer(self, index: int) -> dict[str, Any]:
        return {**self.look_at(index), "answered": index}  # last: it is what the browser waits for

    @traitlets.observe("image")
    def _show_picture(self, change: Any = None) -> None:
        if hasattr(self, "images"):
            with self.hold_sync():  # one message to the browser, so that all changes are there at once
                for name, value in self._answer(self.image).items():
                    self.set_trait(name, value)

    @traitlets.observe("upload")
    def _take_upload(self, change: Any) -> None:
        """Read the person's own picture, put it last and show it; or say why it cannot be read."""
        if not self.upload:
            return
        try:
            own = load_picture(bytes(self.upload), self.picture_size, self.images.shape[1])  # (C, H, W)
        except (ValueError, OSError, MemoryError) as error:
            self.message = str(error)
            return
        self.images = torch.cat([self.images, own[None]])
        with self.hold_sync():
            self.pictures = image_bytes(self.images)
            self.names = [*self.names, f"your picture {len(self.images)}"]
            self.image = len(self.images) - 1
            self.upload = b""
            self.message = "This is your picture, cropped and resized as the model sees it."


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _png(figure: Figure) -> str:
    """Draw a figure as PNG, in base64."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return _base64(file.getvalue())


def _to_json(value: Any) -> str:
    """Write JSON for a script element: bytes become {"base64": ...}, and no tag can end the script."""

    def encode(other: Any) -> Any:
        if isinstance(other, (bytes, memoryview)):
            return {"base64": _base64(bytes(other))}
        raise TypeError(f"{type(other).__name__} has no place in a page.")

    return json.dumps(value, default=encode).replace("</", "<\\/")
