"""What one step of a training changes: the model, its optimiser, and the average of its weights."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from course_utils.data import normalisation_of
from course_utils.model.resize import AtPatchSize
from course_utils.training import distributed
from course_utils.training.code_start import start_codes
from course_utils.training.layers import frozen
from course_utils.training.optimisers import make_optimizer
from course_utils.training.recipes import Recipe, learning_rate_at
from course_utils.training.stream import BatchesAhead, seed_step
from course_utils.training.tasks import Task
from course_utils.training.whitening import IMAGES_TO_WHITEN, start_whitened


class Learner:
    """A model in training.

    Args:
        model: It is moved to the device, and trained in place.
        task: Gives the batches and the loss; it is prepared here.
        recipe: Optimiser, augmentation, and what changes in the course of the training.
        seed: Of shuffles, augmentation and dropout.
        device: Where it is trained.
        precision: "fp32", or "bf16" for autocast; weights and optimiser stay float32.
        compile_model: Whether ``torch.compile`` makes the step faster.
        workers: Processes that prepare the batches ahead, on the CPU; the batches are the same with any number of them.
            0: they are prepared between the steps, on the device.

    Raises:
        ValueError: Model, task and recipe do not fit each other.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        precision: str,
        compile_model: bool = False,
        workers: int = 0,
    ) -> None:
        self.model, self.task, self.recipe, self.seed = model.to(device), task, recipe, seed
        self.device, self.precision, self.compile_model = device, precision, compile_model
        self.workers = workers
        self._ahead: Iterator[tuple[Tensor, ...]] | None = None  # while the workers are at work
        task.prepare(self.model, recipe, seed, torch.device("cpu") if workers else device)
        if recipe.whitening:
            images = normalisation_of(self.model)(task.train_set.images[:IMAGES_TO_WHITEN])
            start_whitened(self.model, images, recipe.whitening)
        if recipe.code_start is not None:
            start_codes(self.model, recipe.code_start, seed)
        fused = device.type in ("cpu", "cuda")  # one kernel for all parameters instead of a loop
        with frozen(self.model, recipe.freeze):  # what is frozen is no matter of the optimiser
            self.optimizer = make_optimizer(self.model, recipe, fused, precision)
        self.average = None
        if recipe.ema:
            self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema))
        self.early_model = self.model
        if recipe.early:
            self.early_model = AtPatchSize(self.model, recipe.early_patch_size)
        with frozen(self.model, recipe.freeze):
            self._put_to_work(self.early_model)

    def step(self, number: int, total: int) -> dict[str, Tensor]:
        """Take one optimiser step.

        Args:
            number: Of the step, from 0. It decides the batch, the augmentation and the dropout.
            total: Steps of the whole training, over which the recipe's shares are spread.

        Returns:
            The task's figures, as sums over the images of this process, on the device.
        """
        with frozen(self.model, self.recipe.freeze):
            return self._step(number, total)

    def _step(self, number: int, total: int) -> dict[str, Tensor]:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(number, total, self.recipe) * group["share"]
        due = self.early_model if number < round(self.recipe.early * total) else self.model
        if due is not self.at_work:
            self._put_to_work(due)
        batch = next(self._ahead) if self._ahead is not None else self.batch(number, total)
        batch = tuple(tensor.to(self.device, non_blocking=True) for tensor in batch)
        share = len(batch[0]) // distributed.world_size()
        mine = slice(distributed.rank() * share, (distributed.rank() + 1) * share)
        seed_step(self.seed, number, f"model {distributed.rank()}")  # dropout differs between processes

        self.net.train()
        sums: dict[str, Tensor] = {}
        parts = list(zip(*(tensor[mine].chunk(self.recipe.accumulate) for tensor in batch), strict=True))
        for index, part in enumerate(parts):
            with self._gradients_stay_local(index < len(parts) - 1):
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                    figures = self.task.loss(self.net, *part)
                (figures["loss"] / self.recipe.accumulate).backward()
            for name, mean in figures.items():
                sums[name] = sums.get(name, 0.0) + mean.detach() * len(part[0])
        if self.recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.task.after_step(self.model, number)
        return sums

    def batch(self, number: int, total: int) -> tuple[Tensor, ...]:
        """Prepare the batch of a step. CutMix and MixUp may not touch it in the last share of the training."""
        return self.task.batch(number, mixing=number < (1 - self.recipe.unmixed) * total)

    @contextlib.contextmanager
    def batches_ahead(self, first: int, total: int) -> Iterator[None]:
        """Let the workers, if there are any, prepare the batches of the steps from ``first`` on."""
        if self.workers:
            batches = BatchesAhead(functools.partial(self.batch, total=total))
            self._ahead = batches.of_steps(range(first, total), self.workers, pin_memory=self.device.type == "cuda")
        try:
            yield
        finally:
            self._ahead = None  # the workers end with it

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Return everything that a step changes, by its owner: "model", "optimizer", "average", "task".

        There is no state of a random generator in it: every step seeds its own (see ``stream.seed_step``).
        """
        optimizer = self.optimizer.state_dict()["state"]
        return {
            "model": self.model.state_dict(),
            "optimizer": {
                f"{index}/{key}": value for index, state in optimizer.items() for key, value in state.items()
            },
            "average": self.average.state_dict() if self.average is not None else {},
            "task": dict(self.task.state()),
        }

    def load_state(self, owners: dict[str, dict[str, Tensor]]) -> None:
        """Put back what :meth:`state` returned."""
        self.model.load_state_dict(owners["model"])
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in owners["optimizer"].items():
            index, key = name.split("/")
            state.setdefault(int(index), {})[key] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})
        if self.average is not None:
            self.average.load_state_dict(owners["average"])
        self.task.load_state(owners["task"])

    def _put_to_work(self, model: nn.Module) -> None:
        """Let the next steps train this: the model, or early on the model at another patch size."""
        self.at_work = model
        self.net: nn.Module = DistributedDataParallel(model) if distributed.active() else model
        if self.compile_model:
            self.net = torch.compile(self.net)  # type: ignore[assignment]

    def _gradients_stay_local(self, local: bool) -> contextlib.AbstractContextManager:
        """Keep DistributedDataParallel from exchanging gradients before the last micro-batch."""
        if local and isinstance(self.net, DistributedDataParallel):
            return self.net.no_sync()
        return contextlib.nullcontext()
