"""Lesson 06 (training): the training loop, and what it needs to be stopped, resumed and repeated exactly.

What step s does depends on the weights and on (seed, s) alone: its batch (see ``stream``), its augmentation and its
dropout. A run that goes on from a checkpoint therefore does exactly what the uninterrupted run would have done.

What is learned is the task's matter (see ``tasks``), what a step changes the learner's (``learner``).
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn
from tqdm.auto import tqdm

from course_utils.model.blocks import set_checkpointing
from course_utils.support import environment
from course_utils.support.devices import pick_device, pick_precision
from course_utils.support.files import DamagedFileError, save_tensors, write_json
from course_utils.training import checkpoints, distributed
from course_utils.training.budget import steps_in_budget
from course_utils.training.history import History
from course_utils.training.interrupts import StopRequest
from course_utils.training.learner import Learner
from course_utils.training.recipes import Recipe, learning_rate_at
from course_utils.training.tasks import Task

CHECKPOINT_SECONDS = 60.0
LOSSES_KEPT_ON_GPU = 50  # reading a loss makes the CPU wait for the GPU, so it is done in bunches


class NonFiniteLossError(FloatingPointError):
    """The loss became NaN or infinite."""


class Trainer:
    """Train a model for a task by a recipe.

    Args:
        model: Any module with a ``config`` that the task knows how to call.
        task: What is learned from which images, for example ``Classification(train_set, validation_set)``.
        recipe: Budget, optimiser and augmentation.
        run_dir: Folder for record.json and checkpoints; None writes nothing.
        seed: Of shuffles, augmentation and dropout. Seed the model's start yourself, before you make it.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "fp32" or "bf16" (autocast; weights and optimiser stay float32).
        compile_model: Whether ``torch.compile`` makes the step faster, for about a minute of compiling first.
        workers: Processes that prepare the batches ahead, on the CPU, for a GPU that would wait for them. 0: none.
        report_every: Passes from one entry of the history to the next; 0.1 looks ten times in each pass.
        show_progress: Whether a progress bar is shown.
        checkpointing: Whether blocks are computed a second time for the backward pass instead of being kept: less
            memory, more time, the same result (see :func:`course_utils.model.blocks.set_checkpointing`).
        start: What the model was before this training, for the record; None: random weights.

    Raises:
        ValueError: Model, task and recipe do not fit each other.

    Example:
        >>> trainer = Trainer(model, Classification(train_set, validation_set), Recipe(epochs=2))  # doctest: +SKIP
        >>> record = trainer.fit()  # doctest: +SKIP

    With torchrun, the same code trains in several processes; each prepares the same batch and takes its share of it.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        recipe: Recipe,
        *,
        run_dir: str | Path | None = None,
        seed: int = 0,
        device: str = "auto",
        precision: str = "auto",
        compile_model: bool = False,
        workers: int = 0,
        report_every: float = 1.0,
        show_progress: bool = True,
        checkpointing: bool = False,
        start: Mapping[str, Any] | None = None,
    ) -> None:
        shares = distributed.world_size() * recipe.accumulate
        if recipe.batch_size % shares:
            raise ValueError(
                f"batch_size {recipe.batch_size} cannot be shared equally by {distributed.world_size()} processes "
                f"with {recipe.accumulate} micro-batches each: choose a multiple of {shares}."
            )
        self.model, self.task, self.recipe, self.seed = model, task, recipe, seed
        self.start = dict(start) if start is not None else None
        if checkpointing:
            set_checkpointing(model, True)
        self.run_dir = Path(run_dir) if run_dir is not None else None
        self.is_main = distributed.rank() == 0
        self.show_progress = show_progress and self.is_main
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self.images_to_report = max(1, round(report_every * len(task.train_set)))
        self.learner = Learner(model, task, recipe, seed, self.device, self.precision, compile_model, workers)
        self.history = History()
        self.step = 0
        self.total_steps = 0
        # Both now: images and files may change while the run goes on.
        self._environment = environment.describe(self.device)
        self._about_task = task.describe()

    @property
    def averaged_model(self) -> nn.Module | None:
        """The running average of the weights as a model, if the recipe keeps one."""
        return self.learner.average.module if self.learner.average is not None else None

    def fit(
        self,
        resume: bool = False,
        on_report: Callable[[dict[str, Any]], Mapping[str, Any] | None] | None = None,
    ) -> dict[str, Any]:
        """Train until the budget is spent, or until Ctrl-C.

        Args:
            resume: Go on from the checkpoint in ``run_dir``, if there is one.
            on_report: Called with the record after every entry of its history, for example to draw live curves. What it
                returns, if anything, is added to that entry.

        Returns:
            The record: what was trained how on what, and one entry for each pass (see ``report_every``). Its "status"
            is "finished" or "unfinished". It is also written to ``run_dir``/record.json.

        Raises:
            NonFiniteLossError: The loss became NaN or infinite. The batch is saved; the last checkpoint is sound.
            ValueError: The checkpoint belongs to a run with other settings.
            DamagedFileError: The checkpoint is damaged.
            OSError: A file cannot be written.
        """
        if not (resume and self._resume()):
            self.total_steps = steps_in_budget(self.learner)
        last_save = time.perf_counter()
        ahead = self.learner.batches_ahead(self.step, self.total_steps)
        with StopRequest() as stop, self._progress_bar() as bar, ahead:
            while self.step < self.total_steps:
                report_due = self._take_step(bar)
                if report_due:
                    self._report(on_report)
                stopping = self._anyone(stop.requested)
                if stopping or report_due or self._anyone(time.perf_counter() - last_save > CHECKPOINT_SECONDS):
                    self._save(bar)
                    last_save = time.perf_counter()
                if stopping:
                    break
        record = self.record()
        if self.run_dir is not None and self.is_main:
            write_json(self.run_dir / "record.json", record)
        if record["status"] == "unfinished" and self.is_main:
            kept = f"kept in {self.run_dir}: go on with resume=True (--resume)" if self.run_dir else "not kept on disk"
            print(f"Stopped after step {self.step} of {self.total_steps}. The state is {kept}.")
        return record

    def _take_step(self, bar: tqdm) -> bool:
        """Take a step and note its figures; say whether an entry of the history is due."""
        start = time.perf_counter()
        sums = self.learner.step(self.step, self.total_steps)
        self.history.add(self.step, self.recipe.batch_size // distributed.world_size(), sums)
        self.step += 1
        due = self._images_seen() // self.images_to_report > len(self.history.entries) or self.step == self.total_steps
        if due or self.device.type == "cpu" or self.history.unread >= LOSSES_KEPT_ON_GPU:
            self._read_figures(bar)
        self.history.seconds += time.perf_counter() - start
        return due

    def _read_figures(self, bar: tqdm) -> None:
        """Take the figures of the last steps from the device, and stop if a loss is not a number."""
        bad_step = self.history.read()
        if bad_step is not None:
            self._refuse_non_finite(bad_step)
        bar.update(self._images_seen() - bar.n)
        means = {name: f"{mean:.3g}" for name, mean in self.history.means().items()}
        bar.set_postfix(epoch=f"{self._epoch():.1f}", **means, refresh=False)

    def _report(self, on_report: Callable[[dict[str, Any]], Mapping[str, Any] | None] | None) -> None:
        """Close an entry of the history: the figures of training, of validation, and what the caller adds."""
        entry = {
            "epoch": self._epoch(),
            "step": self.step,
            "learning_rate": learning_rate_at(self.step - 1, self.total_steps, self.recipe),
        }
        self.history.close(entry, self.device)
        newest, images = self.history.entries[-1], self.task.validation_set
        if images is not None and self.is_main:
            found = self.task.figures(self.learner.at_work, images, self.precision)
            newest |= {f"validation_{name}": value for name, value in found.items()}
        if on_report is not None:
            newest |= on_report(self.record()) or {}

    def _refuse_non_finite(self, step: int) -> None:
        rate = learning_rate_at(step, self.total_steps, self.recipe)
        saved = ""
        if self.run_dir is not None and self.is_main:
            path = self.run_dir / "bad_batch.safetensors"
            batch = self.learner.batch(step, self.total_steps)
            tensors = {f"batch_{index}": tensor for index, tensor in enumerate(batch)}
            save_tensors(path, tensors, {"step": step, "learning_rate": rate, "seed": self.seed})
            saved = f" The batch is saved in {path}; the last checkpoint is sound."
        raise NonFiniteLossError(
            f"The loss is not a finite number at step {step} (learning rate {rate:.2e}). Lower the learning rate, "
            f"or lengthen the warm-up.{saved}"
        )

    # ------------------------------------------------------------------ record and checkpoint

    def record(self) -> dict[str, Any]:
        """Return all that someone needs to repeat the run, and its figures so far, as a dict that JSON can hold."""
        return {
            "status": "finished" if self.step == self.total_steps else "unfinished",
            "command": environment.command_line(),
            "written": environment.now(),
            **self._identity(),
            "total_steps": self.total_steps,
            "precision": self.precision,
            "processes": distributed.world_size(),
            "environment": self._environment,
            "seconds": self.history.seconds,
            "epochs": self.history.entries,
        }

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to belong to this run."""
        identity = {
            "config": self.model.config.to_dict(),  # type: ignore[union-attr, operator]  # whatever the kind of model
            "recipe": self.recipe.to_dict(),
            "seed": self.seed,
            "start": self.start,
            **self._about_task,
        }
        return json.loads(json.dumps(identity))  # tuples become lists, as they come back from the checkpoint

    def _save(self, bar: tqdm) -> None:
        self._read_figures(bar)
        self.history.gather(self.device)
        if self.run_dir is None or not self.is_main:
            return
        record = self.record()
        progress = record | {"step": self.step, "history": self.history.state()}
        checkpoints.save_checkpoint(self.run_dir, self.learner.state(), progress)
        write_json(self.run_dir / "record.json", record)

    def _resume(self) -> bool:
        """Load the newest checkpoint of the run folder. False if there is none."""
        path = checkpoints.find_checkpoint(self.run_dir) if self.run_dir is not None else None
        if path is None:
            return False
        try:
            owners, progress = checkpoints.load_checkpoint(path)
        except DamagedFileError as error:
            reserve = path.with_name(checkpoints.PREVIOUS)
            advice = (
                f" To go on from the checkpoint before, {reserve}, delete the damaged one." if reserve.exists() else ""
            )
            raise DamagedFileError(f"{error}{advice}") from error
        for name, value in self._identity().items():
            if self._as_of_now(name, progress.get(name)) != value:
                raise ValueError(
                    f"{path} belongs to another run: its {name} is {progress.get(name)}, but you asked for {value}. "
                    "Use the settings of that run, or another run folder."
                )
        self.learner.load_state(owners)
        self.step, self.total_steps = progress["step"], progress["total_steps"]
        self.precision = self.learner.precision = progress["precision"]
        self.history.load_state(progress["epochs"], progress["seconds"], progress["history"])
        return True

    def _as_of_now(self, name: str, settings: Any) -> Any:
        """Give settings of a checkpoint the defaults of those that are younger than it."""
        kinds: dict[str, Any] = {"config": type(self.model.config), "recipe": type(self.recipe)}
        if name not in kinds:
            return settings
        with contextlib.suppress(ValueError, TypeError):  # a setting that is unknown now: the comparison names it
            settings = json.loads(json.dumps(kinds[name].from_dict(settings).to_dict()))
        return settings

    # ------------------------------------------------------------------ small helpers

    def _images_seen(self) -> int:
        """Images in all steps so far."""
        return self.step * self.recipe.batch_size

    def _epoch(self) -> float:
        """Passes over the data so far."""
        return self._images_seen() / len(self.task.train_set)

    def _anyone(self, wish: bool) -> bool:
        """Whether any process has this wish: all must agree to stop or save at the same step."""
        return distributed.add_up([float(wish)], self.device)[0] > 0

    def _progress_bar(self) -> tqdm:
        return tqdm(
            total=self.total_steps * self.recipe.batch_size,
            initial=self._images_seen(),
            unit="img",
            unit_scale=True,
            mininterval=0.5,
            disable=not self.show_progress,
            desc="training",
        )
