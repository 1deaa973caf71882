"""Lesson 06 (training): the training loop, and what it needs to be stopped, resumed and repeated exactly.

What step s does depends on the weights and on (seed, s) alone: its batch (see ``stream``), its augmentation and its
dropout. A run that goes on from a checkpoint therefore does exactly what the uninterrupted run would have done.
"""

from __future__ import annotations

import contextlib
import copy
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm.auto import tqdm

from course_utils.analysis.evaluation import accuracy, predict
from course_utils.data import ImageSet
from course_utils.data.augment import CIFAR10_MEAN, CIFAR10_STD, to_float
from course_utils.model.blocks import TransformerBlock
from course_utils.model.patches import PatchEmbedding, patchify, whitening_weight
from course_utils.model.vit import AtPatchSize, VisionTransformer
from course_utils.support import environment
from course_utils.support.devices import pick_device, pick_precision, synchronize
from course_utils.support.files import DamagedFileError, save_tensors, write_json
from course_utils.training import checkpoints, distributed
from course_utils.training.interrupts import StopRequest
from course_utils.training.muon import Muon
from course_utils.training.recipes import Recipe, learning_rate_at
from course_utils.training.stream import BatchStream, seed_step

CHECKPOINT_SECONDS = 60.0
IMAGES_TO_WHITEN = 5000  # a few hundred thousand patches
LOSSES_KEPT_ON_GPU = 50  # reading a loss makes the CPU wait for the GPU, so it is done in bunches


class NonFiniteLossError(FloatingPointError):
    """The loss became NaN or infinite."""


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Split the parameters: weight matrices of linear maps decay, all else does not.

    Biases, norms, class token, registers, position codes and bias tables do not decay. The matrices inside transformer
    blocks are a group of their own, marked for :class:`Muon`, which is not meant for the first and the last map.
    """
    matrices = {id(module.weight) for module in model.modules() if isinstance(module, (nn.Linear, nn.Conv2d))}
    blocks = [module for module in model.modules() if isinstance(module, TransformerBlock)]
    hidden = {id(p) for block in blocks for p in block.parameters()} & matrices
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if id(p) in hidden], "weight_decay": weight_decay, "muon": True},
        {"params": [p for p in parameters if id(p) in matrices - hidden], "weight_decay": weight_decay},
        {"params": [p for p in parameters if id(p) not in matrices], "weight_decay": 0.0},
    ]


def make_optimizer(model: nn.Module, recipe: Recipe, fused: bool, precision: str = "fp32") -> torch.optim.Optimizer:
    """Make the optimiser that a recipe names. Its state is float32; ``precision`` is that of Muon's matrix products."""
    groups = parameter_groups(model, recipe.weight_decay)
    options: dict[str, Any] = {"lr": recipe.learning_rate, "betas": recipe.betas, "fused": fused}
    if recipe.optimizer == "muon":
        return Muon(groups, dtype=torch.bfloat16 if precision == "bf16" else torch.float32, **options)
    return torch.optim.AdamW(groups, **options)


@torch.no_grad()
def start_whitened(model: nn.Module, images: Tensor, std: float) -> None:
    """Let the map from patches to tokens start by whitening patches.

    Args:
        model: With a linear patch embedding.
        images: Float images (B, C, H, W) to take the patches from, normalised as in training.
        std: Standard deviation of a token's numbers.

    Raises:
        ValueError: The model has no linear patch embedding.
    """
    embedding = next((module for module in model.modules() if isinstance(module, PatchEmbedding)), None)
    if embedding is None:
        raise ValueError(
            f"whitening starts a linear map of patches, and a {type(model).__name__} has none: set it to 0."
        )
    weight = embedding.projection.weight  # (D, C*P*P)
    weight.copy_(whitening_weight(patchify(images, embedding.patch_size), len(weight), std))


class Trainer:
    """Train a model on an image set by a recipe.

    Args:
        model: Any module with a ``config`` that maps images (B, C, H, W) to logits (B, K).
        train_set: The images to learn from.
        validation_set: Looked at after every pass; None leaves it out. Never the test set.
        recipe: Budget, optimiser and augmentation.
        run_dir: Folder for record.json and checkpoints; None writes nothing.
        seed: Of shuffles, augmentation and dropout. Seed the model's start yourself, before you make it.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "fp32" or "bf16" (autocast; weights and optimiser stay float32).
        compile_model: Whether ``torch.compile`` makes the step faster, for about a minute of compiling first.
        report_every: Passes from one entry of the history to the next; 0.1 looks ten times in each pass.
        mean, std: Normalisation of each channel, in the range 0..1 of pixel values.
        show_progress: Whether a progress bar is shown.

    Example:
        >>> trainer = Trainer(model, train_set, validation_set, Recipe(epochs=2))  # doctest: +SKIP
        >>> record = trainer.fit()  # doctest: +SKIP

    With torchrun, the same code trains in several processes; each prepares the same batch and takes its share of it.
    """

    def __init__(
        self,
        model: VisionTransformer,
        train_set: ImageSet,
        validation_set: ImageSet | None,
        recipe: Recipe,
        *,
        run_dir: str | Path | None = None,
        seed: int = 0,
        device: str = "auto",
        precision: str = "auto",
        compile_model: bool = False,
        report_every: float = 1.0,
        mean: tuple[float, ...] = CIFAR10_MEAN,
        std: tuple[float, ...] = CIFAR10_STD,
        show_progress: bool = True,
    ) -> None:
        shares = distributed.world_size() * recipe.accumulate
        if recipe.batch_size % shares:
            raise ValueError(
                f"batch_size {recipe.batch_size} cannot be shared equally by {distributed.world_size()} processes "
                f"with {recipe.accumulate} micro-batches each: choose a multiple of {shares}."
            )
        self.recipe, self.seed = recipe, seed
        self.train_set, self.validation_set = train_set, validation_set
        self.images_to_report = max(1, round(report_every * len(train_set)))
        self._data = train_set.describe()
        self.mean, self.std = tuple(mean), tuple(std)
        self.run_dir = Path(run_dir) if run_dir is not None else None
        self.is_main = distributed.rank() == 0
        self.show_progress = show_progress and self.is_main

        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self._environment = environment.describe(self.device)  # now: files may change while the run goes on
        self.model = model.to(self.device)
        if recipe.whitening:
            images = to_float(train_set.images[:IMAGES_TO_WHITEN], self.mean, self.std)
            start_whitened(model, images, recipe.whitening)
        fused = self.device.type in ("cpu", "cuda")  # one kernel for all parameters instead of a loop
        self.optimizer = make_optimizer(model, recipe, fused, self.precision)
        self.average = None
        if recipe.ema:
            self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema))
        self.early_model = AtPatchSize(self.model, recipe.early_patch_size) if recipe.early else self.model
        self.compile_model = compile_model
        self._put_to_work(self.early_model)

        self.stream = BatchStream(train_set, recipe, seed, self.mean, self.std, model.config.num_classes, self.device)

        self.step = 0
        self.total_steps = 0
        self.epochs: list[dict[str, float]] = []
        self.seconds = 0.0  # spent on steps, in all parts of a resumed run; not on validation and saving
        self._sums = torch.zeros(3, dtype=torch.float64)  # loss, correct, images: since the last report
        self._pending: list[tuple[int, Tensor, Tensor]] = []  # (step, loss sum, correct) not read from the device yet

    # ------------------------------------------------------------------ the loop

    def fit(self, resume: bool = False, on_epoch: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
        """Train until the budget is spent, or until Ctrl-C.

        Args:
            resume: Go on from the checkpoint in ``run_dir``, if there is one.
            on_epoch: Called with the record after every entry of its history, for example to draw live curves.

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
            self.total_steps = self._steps_in_budget()
        last_save = time.perf_counter()
        with StopRequest() as stop, self._progress_bar() as bar:
            while self.step < self.total_steps:
                step_start = time.perf_counter()
                self._train_step()
                report_due = self.stream.images_before(self.step) // self.images_to_report > len(self.epochs)
                report_due |= self.step == self.total_steps
                if report_due or self.device.type == "cpu" or len(self._pending) >= LOSSES_KEPT_ON_GPU:
                    self._read_losses(bar)
                self.seconds += time.perf_counter() - step_start
                if report_due:
                    self._report()
                    if on_epoch is not None:
                        on_epoch(self.record())
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

    def _train_step(self) -> None:
        """Take one optimiser step on the next batch of the stream."""
        rate = learning_rate_at(self.step, self.total_steps, self.recipe)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        early = self.step < round(self.recipe.early * self.total_steps)
        due = self.early_model if early else self.model
        if due is not self.at_work:
            self._put_to_work(due)
        images, targets = self.stream.batch(self.step, mixing=self._mixing(self.step))
        share = len(images) // distributed.world_size()
        mine = slice(distributed.rank() * share, (distributed.rank() + 1) * share)
        seed_step(self.seed, self.step, f"model {distributed.rank()}")  # dropout differs between processes

        self.net.train()
        micro_batches = list(zip(*(t[mine].chunk(self.recipe.accumulate) for t in (images, targets)), strict=True))
        loss_sum, correct = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        for index, (x, y) in enumerate(micro_batches):
            with self._gradients_stay_local(index < len(micro_batches) - 1):
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                    logits = self.net(x)  # (b, C, H, W) -> (b, K)
                loss = F.cross_entropy(logits.float(), y, label_smoothing=self.recipe.label_smoothing)
                (loss / self.recipe.accumulate).backward()
            hard = y if y.ndim == 1 else y.argmax(dim=-1)  # (b,) classes, also of mixed targets (b, K)
            loss_sum += loss.detach() * len(x)
            correct += (logits.detach().argmax(dim=-1) == hard).sum()
        if self.recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.model)
        self._pending.append((self.step, loss_sum, correct))
        self.step += 1

    def _put_to_work(self, model: nn.Module) -> None:
        """Let the next steps train this: the model, or early on the model at another patch size."""
        self.at_work = model
        self.net: nn.Module = DistributedDataParallel(model) if distributed.active() else model
        if self.compile_model:
            self.net = torch.compile(self.net)  # type: ignore[assignment]

    # ------------------------------------------------------------------ budget

    def _steps_in_budget(self) -> int:
        """Turn the budget into a number of steps; for minutes, measure the speed first."""
        start = time.perf_counter()
        recipe, n = self.recipe, len(self.train_set)
        if recipe.steps is not None:
            return recipe.steps
        if recipe.epochs is not None:
            return max(1, round(recipe.epochs * n / recipe.batch_size))
        step_seconds, evaluation_seconds = self._measure()
        left = recipe.minutes * 60 - (time.perf_counter() - start)  # type: ignore[operator]
        per_step = step_seconds + evaluation_seconds * recipe.batch_size / n  # one evaluation a pass
        return max(1, int(distributed.share_from_main(left / per_step, self.device)))

    def _measure(self, steps: int = 10) -> tuple[float, float]:
        """Time a step and an evaluation, and leave the model as it was."""
        before = copy.deepcopy(self.model.state_dict())
        self.total_steps = 1000  # of which some are early
        early = self.recipe.early
        stages = {0: early, round(early * self.total_steps): 1 - early}  # first step -> share of the steps
        step_seconds = 0.0
        for self.step, share in stages.items():
            times = []
            for _ in range(steps + 2):
                start = time.perf_counter()
                self._train_step()
                synchronize(self.device)
                times.append(time.perf_counter() - start)
            step_seconds += share * statistics.median(times[2:])  # the first two warm up, and compile
        self.model.load_state_dict(before)
        self.optimizer.state.clear()
        if self.average is not None:
            self.average.module.load_state_dict(before)
            self.average.n_averaged.zero_()
        self.step = 0
        self._pending.clear()

        evaluation_seconds = 0.0
        if self.validation_set is not None:
            some = self.validation_set.subset(range(min(512, len(self.validation_set))))
            start = time.perf_counter()
            self._validate(some)
            evaluation_seconds = (time.perf_counter() - start) * len(self.validation_set) / len(some)
        return step_seconds, evaluation_seconds

    # ------------------------------------------------------------------ figures of a pass

    def _read_losses(self, bar: tqdm) -> None:
        """Take the losses of the last steps from the device, and stop if one of them is not a number."""
        for step, loss_sum, correct in self._pending:
            values = torch.tensor([loss_sum.item(), correct.item(), self.recipe.batch_size / distributed.world_size()])
            if not torch.isfinite(values[0]):
                self._refuse_non_finite(step)
            self._sums += values.double()
        bar.update(len(self._pending) * self.recipe.batch_size)
        self._pending.clear()
        if self._sums[2]:
            loss, share = (self._sums[:2] / self._sums[2]).tolist()
            bar.set_postfix(epoch=f"{self._epoch():.1f}", loss=f"{loss:.3f}", accuracy=f"{share:.1%}", refresh=False)

    def _report(self) -> None:
        """Add one entry to the history."""
        loss, correct, count = distributed.add_up(self._sums).tolist()
        self._sums.zero_()
        entry = {
            "epoch": self._epoch(),
            "step": self.step,
            "learning_rate": learning_rate_at(self.step - 1, self.total_steps, self.recipe),
            "train_loss": loss / count,
            "train_accuracy": correct / count,
            "seconds": self.seconds,
        }
        if self.validation_set is not None and self.is_main:
            entry |= self._validate(self.validation_set)
        self.epochs.append(entry)

    def _validate(self, image_set: ImageSet) -> dict[str, float]:
        """Loss and accuracy on images that were not trained on, in the number format of the training."""
        logits = predict(self.at_work, image_set.images, self.mean, self.std, precision=self.precision)
        labels = image_set.labels
        return {
            "validation_loss": F.cross_entropy(logits, labels).item(),
            "validation_accuracy": accuracy(logits, labels),
        }

    def _refuse_non_finite(self, step: int) -> None:
        rate = learning_rate_at(step, self.total_steps, self.recipe)
        saved = ""
        if self.run_dir is not None and self.is_main:
            path = self.run_dir / "bad_batch.safetensors"
            images, targets = self.stream.batch(step, mixing=self._mixing(step))
            tensors = {"images": images, "targets": targets, "indices": self.stream.indices(step)}
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
            "seconds": self.seconds,
            "epochs": self.epochs,
        }

    @property
    def averaged_model(self) -> VisionTransformer | None:
        """The running average of the weights as a model, if the recipe keeps one."""
        return self.average.module if self.average is not None else None  # type: ignore[return-value]

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to belong to this run."""
        identity = {
            "config": self.model.config.to_dict(),
            "recipe": self.recipe.to_dict(),
            "seed": self.seed,
            "data": self._data,
            "normalisation": {"mean": self.mean, "std": self.std},
        }
        return json.loads(json.dumps(identity))  # tuples become lists, as they come back from the checkpoint

    def _save(self, bar: tqdm) -> None:
        self._read_losses(bar)
        sums = distributed.add_up(self._sums)
        self._sums = sums if self.is_main else torch.zeros_like(sums)
        if self.run_dir is None or not self.is_main:
            return
        progress = self.record() | {"step": self.step, "sums": self._sums.tolist()}
        checkpoints.save_checkpoint(self.run_dir, self.model, self.optimizer, self.average, progress)
        write_json(self.run_dir / "record.json", self.record())

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
            if progress[name] != value:
                raise ValueError(
                    f"{path} belongs to another run: its {name} is {progress[name]}, but you asked for {value}. "
                    "Use the settings of that run, or another run folder."
                )
        checkpoints.restore(owners, self.model, self.optimizer, self.average)
        self.step, self.total_steps = progress["step"], progress["total_steps"]
        self.precision, self.epochs = progress["precision"], progress["epochs"]
        self.seconds = progress["seconds"]
        if self.is_main:
            self._sums = torch.tensor(progress["sums"], dtype=torch.float64)
        return True

    # ------------------------------------------------------------------ small helpers

    def _epoch(self) -> float:
        """Passes over the data so far."""
        return self.stream.images_before(self.step) / len(self.train_set)

    def _mixing(self, step: int) -> bool:
        """Whether CutMix and MixUp may touch the batch of a step: not in the last share of the run."""
        return step < (1 - self.recipe.unmixed) * self.total_steps

    def _anyone(self, wish: bool) -> bool:
        """Whether any process has this wish: all must agree to stop or save at the same step."""
        if not distributed.active():
            return wish
        return bool(distributed.add_up(torch.tensor([float(wish)], device=self.device)).item())

    def _gradients_stay_local(self, local: bool) -> contextlib.AbstractContextManager:
        """Keep DistributedDataParallel from exchanging gradients before the last micro-batch."""
        if local and isinstance(self.net, DistributedDataParallel):
            return self.net.no_sync()
        return contextlib.nullcontext()

    def _progress_bar(self) -> tqdm:
        return tqdm(
            total=self.stream.images_before(self.total_steps),
            initial=self.stream.images_before(self.step),
            unit="img",
            unit_scale=True,
            mininterval=0.5,
            disable=not self.show_progress,
            desc="training",
        )
