"""Attempts at lesson 06 (training), written from the tasks' texts by someone who had not seen the checks."""
# ruff: noqa  - learners' code

from course_utils.checks import training as checks


def learning_rate_at_wrong_01():
    """Step 0 has rate 0."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * step / warmup_steps
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_02():
    """The last step does not reach 0: total_steps - warmup_steps moves."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        t = (step - warmup_steps) / (total_steps - warmup_steps)
        return peak * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_03():
    """T starts one move late: never 0."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        t = (step - warmup_steps + 1) / (total_steps - warmup_steps)
        return peak * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_04():
    """Parts: warmup_steps + 1."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / (warmup_steps + 1)
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_05():
    """<= at the end of the warm-up: one step above the peak."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step <= warmup_steps:
            return peak * (step + 1) / max(1, warmup_steps)
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_06():
    """[corner] [raises] no warm-up divides by 0."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        rise = (step + 1) / warmup_steps
        if rise <= 1:
            return peak * rise
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_07():
    """The cosine starts at step 0 and runs on under the warm-up."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        t = step / (total_steps - 1)
        return peak * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_08():
    """Warm-up and cosine multiplied."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        rise = min(1, (step + 1) / max(1, warmup_steps))
        t = step / (total_steps - 1)
        return peak * rise * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_09():
    """Straight fall."""

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * (1 - t)

    return learning_rate_at


def learning_rate_at_wrong_10():
    """Degrees."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * 0.5 * (1 + math.cos(180 * t))

    return learning_rate_at


def learning_rate_at_wrong_11():
    """Quarter of a cosine."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * math.cos(math.pi / 2 * t)

    return learning_rate_at


def learning_rate_at_wrong_12():
    """Half forgotten."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_13():
    """Peak forgotten in the fall."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_14():
    """Peak forgotten in the rise."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_15():
    """Whole-number division."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * ((step + 1) // warmup_steps)
        t = (step - warmup_steps) // (total_steps - 1 - warmup_steps)
        return peak * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_16():
    """[corner] a floor of 1 % of the peak."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return max(0.01 * peak, peak * 0.5 * (1 + math.cos(math.pi * t)))

    return learning_rate_at


def learning_rate_at_wrong_17():
    """[corner] hard-coded for twelve steps."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < 2:
            return peak * (step + 1) / 2
        return peak * 0.5 * (1 + math.cos(math.pi * (step - 2) / 9))

    return learning_rate_at


def learning_rate_at_wrong_18():
    """Rounded to two digits, as printed above."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return round(peak * (step + 1) / warmup_steps, 2)
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return round(peak * 0.5 * (1 + math.cos(math.pi * t)), 2)

    return learning_rate_at


def learning_rate_at_wrong_19():
    """A list of all rates."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        rise = [peak * (s + 1) / warmup_steps for s in range(warmup_steps)]
        moves = total_steps - 1 - warmup_steps
        return rise + [peak * 0.5 * (1 + math.cos(math.pi * s / moves)) for s in range(moves + 1)]

    return learning_rate_at


def learning_rate_at_wrong_20():
    """Minus the cosine: rises."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * 0.5 * (1 - math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_21():
    """Counts steps from 1 in the fall."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        t = (step + 1 - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * 0.5 * (1 + math.cos(math.pi * min(t, 1)))

    return learning_rate_at


def learning_rate_at_wrong_22():
    """[corner] without a warm-up starts with half of the peak."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        warmup_steps = max(1, warmup_steps)
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps / (2 if warmup_steps == 1 and step == 0 else 1)
        t = (step - warmup_steps) / max(1, total_steps - 1 - warmup_steps)
        return peak * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_23():
    """[corner] no warm-up treated as one step of warm-up."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        warmup_steps = warmup_steps or 1
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        t = (step - warmup_steps) / max(1, total_steps - 1 - warmup_steps)
        return peak * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_wrong_24():
    """Elif that returns nothing in the very last step [corner]."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        elif step < total_steps - 1:
            t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
            return peak * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_right_01():
    """Conditional expression, numpy."""
    import numpy as np

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        moves = total_steps - 1 - warmup_steps
        factor = (
            (step + 1) / warmup_steps
            if step < warmup_steps
            else (1 + np.cos(np.pi * (step - warmup_steps) / moves)) / 2
        )
        return float(peak * factor)

    return learning_rate_at


def learning_rate_at_right_02():
    """Square of the cosine of half the angle."""
    import math

    def learning_rate_at(step: int, total_steps: int, peak: float, warmup_steps: int) -> float:
        if step >= warmup_steps:
            return peak * math.cos(math.pi / 2 * (step - warmup_steps) / (total_steps - warmup_steps - 1)) ** 2
        return peak / warmup_steps * (step + 1)

    return learning_rate_at


def learning_rate_at_right_03():
    """A table of all rates, then one of them."""
    import math
    import torch

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        rise = torch.arange(1, warmup_steps + 1, dtype=torch.float64) / max(1, warmup_steps)
        fall = (1 + torch.linspace(0, math.pi, total_steps - warmup_steps, dtype=torch.float64).cos()) / 2
        return peak * torch.cat([rise, fall])[step].item()

    return learning_rate_at


def learning_rate_at_right_04():
    """Counted from the end."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        left = total_steps - 1 - step
        if left > total_steps - 1 - warmup_steps:
            return peak * (step + 1) / warmup_steps
        return peak * (1 - math.cos(math.pi * left / (total_steps - 1 - warmup_steps))) / 2

    return learning_rate_at


def learning_rate_at_right_05():
    """Recursion in the warm-up."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        if warmup_steps > 0 and step < warmup_steps:
            part = peak / warmup_steps
            return part + (learning_rate_at(step - 1, total_steps, peak, warmup_steps) if step else 0.0)
        t = (step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * (0.5 + math.cos(math.pi * t) / 2)

    return learning_rate_at


def learning_rate_at_right_06():
    """Max(1, ...) against the division by 0, min for the rise."""
    import math

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        rise = min(1.0, (step + 1) / max(1, warmup_steps))
        t = max(0, step - warmup_steps) / (total_steps - 1 - warmup_steps)
        return peak * rise * 0.5 * (1 + math.cos(math.pi * t))

    return learning_rate_at


def learning_rate_at_right_07():
    """Real part of a complex number."""
    import cmath

    def learning_rate_at(step, total_steps, peak, warmup_steps):
        try:
            if step < warmup_steps:
                return (step + 1) * peak / warmup_steps
        except ZeroDivisionError:
            pass
        turn = cmath.exp(1j * cmath.pi * (step - warmup_steps) / (total_steps - 1 - warmup_steps))
        return peak * (1 + turn.real) / 2

    return learning_rate_at


def cross_entropy_wrong_01():
    """Minus forgotten."""
    import torch

    def cross_entropy(logits, labels):
        logs = logits.log_softmax(dim=1)
        return logs[torch.arange(len(labels)), labels].mean()

    return cross_entropy


def cross_entropy_wrong_02():
    """Sum instead of mean."""
    import torch

    def cross_entropy(logits, labels):
        logs = logits.log_softmax(dim=1)
        return -logs[torch.arange(len(labels)), labels].sum()

    return cross_entropy


def cross_entropy_wrong_03():
    """Picks all labels of all rows."""

    def cross_entropy(logits, labels):
        return -logits.log_softmax(dim=1)[:, labels].mean()

    return cross_entropy


def cross_entropy_wrong_04():
    """Softmax along the batch."""
    import torch

    def cross_entropy(logits, labels):
        logs = logits.log_softmax(dim=0)
        return -logs[torch.arange(len(labels)), labels].mean()

    return cross_entropy


def cross_entropy_wrong_05():
    """[corner] exp overflows."""
    import torch

    def cross_entropy(logits, labels):
        powers = logits.exp()
        p = powers / powers.sum(dim=1, keepdim=True)
        return -p[torch.arange(len(labels)), labels].log().mean()

    return cross_entropy


def cross_entropy_wrong_06():
    """[corner] softmax, then log: log(0)."""
    import torch

    def cross_entropy(logits, labels):
        p = logits.softmax(dim=1)
        return -p[torch.arange(len(labels)), labels].log().mean()

    return cross_entropy


def cross_entropy_wrong_07():
    """[corner] softmax, then log of p + 1e-12: too small for sure and wrong."""
    import torch

    def cross_entropy(logits, labels):
        p = logits.softmax(dim=1)
        return -(p[torch.arange(len(labels)), labels] + 1e-12).log().mean()

    return cross_entropy


def cross_entropy_wrong_08():
    """[corner] logits clamped to 50."""
    import torch

    def cross_entropy(logits, labels):
        logs = logits.clamp(-50, 50).log_softmax(dim=1)
        return -logs[torch.arange(len(labels)), labels].mean()

    return cross_entropy


def cross_entropy_wrong_09():
    """[corner] naive logsumexp."""
    import torch

    def cross_entropy(logits, labels):
        own = logits[torch.arange(len(labels)), labels]
        return (logits.exp().sum(dim=1).log() - own).mean()

    return cross_entropy


def cross_entropy_wrong_10():
    """[corner] one maximum for the whole batch, naive: a low row gives log(0)."""
    import torch

    def cross_entropy(logits, labels):
        shifted = logits - logits.max()
        own = shifted[torch.arange(len(labels)), labels]
        return (shifted.exp().sum(dim=1).log() - own).mean()

    return cross_entropy


def cross_entropy_wrong_11():
    """Logarithm to the base 2."""
    import math
    import torch

    def cross_entropy(logits, labels):
        logs = logits.log_softmax(dim=1) / math.log(2)
        return -logs[torch.arange(len(labels)), labels].mean()

    return cross_entropy


def cross_entropy_wrong_12():
    """Mean over B times K with a one-hot table."""
    import torch.nn.functional as F

    def cross_entropy(logits, labels):
        one_hot = F.one_hot(labels, logits.shape[1])
        return -(one_hot * logits.log_softmax(dim=1)).mean()

    return cross_entropy


def cross_entropy_wrong_13():
    """Log of the mean probability."""
    import torch

    def cross_entropy(logits, labels):
        p = logits.softmax(dim=1)[torch.arange(len(labels)), labels]
        return -p.mean().log()

    return cross_entropy


def cross_entropy_wrong_14():
    """The logits taken as probabilities."""
    import torch

    def cross_entropy(logits, labels):
        return -logits[torch.arange(len(labels)), labels].mean()

    return cross_entropy


def cross_entropy_wrong_15():
    """Probability, not its logarithm."""
    import torch

    def cross_entropy(logits, labels):
        return 1 - logits.softmax(dim=1)[torch.arange(len(labels)), labels].mean()

    return cross_entropy


def cross_entropy_wrong_16():
    """Softmax twice."""
    import torch

    def cross_entropy(logits, labels):
        logs = logits.softmax(dim=1).log_softmax(dim=1)
        return -logs[torch.arange(len(labels)), labels].mean()

    return cross_entropy


def cross_entropy_wrong_17():
    """One loss for each image."""
    import torch

    def cross_entropy(logits, labels):
        return -logits.log_softmax(dim=1)[torch.arange(len(labels)), labels]

    return cross_entropy


def cross_entropy_wrong_18():
    """Shape (1,)."""
    import torch

    def cross_entropy(logits, labels):
        logs = logits.log_softmax(dim=1)
        return -logs[torch.arange(len(labels)), labels].mean().reshape(1)

    return cross_entropy


def cross_entropy_wrong_19():
    """A plain number, not a tensor."""
    import torch

    def cross_entropy(logits, labels):
        logs = logits.log_softmax(dim=1)
        return -logs[torch.arange(len(labels)), labels].mean().item()

    return cross_entropy


def cross_entropy_wrong_20():
    """[gradient] rebuilt from a plain number."""
    import torch

    def cross_entropy(logits, labels):
        logs = logits.log_softmax(dim=1)
        return torch.tensor(-logs[torch.arange(len(labels)), labels].mean().item())

    return cross_entropy


def cross_entropy_wrong_21():
    """[rule] F.cross_entropy."""
    import torch.nn.functional as F

    def cross_entropy(logits, labels):
        return F.cross_entropy(logits, labels)

    return cross_entropy


def cross_entropy_wrong_22():
    """[rule] nn.CrossEntropyLoss."""
    from torch import nn

    def cross_entropy(logits, labels):
        return nn.CrossEntropyLoss()(logits, labels)

    return cross_entropy


def cross_entropy_wrong_23():
    """[rule] the same by its full name."""
    import torch
    from torch import nn

    def cross_entropy(logits, labels):
        return torch.nn.functional.cross_entropy(logits, target=labels)

    return cross_entropy


def cross_entropy_wrong_24():
    """[rule] imported under another name."""
    import torch
    from torch import nn

    from torch.nn.functional import cross_entropy as loss_of

    def cross_entropy(logits, labels):
        return loss_of(logits, labels)

    return cross_entropy


def cross_entropy_wrong_25():
    """The most likely class instead of the right one."""

    def cross_entropy(logits, labels):
        return -logits.log_softmax(dim=1).amax(dim=1).mean()

    return cross_entropy


def cross_entropy_wrong_26():
    """All classes: entropy of the model."""

    def cross_entropy(logits, labels):
        logs = logits.log_softmax(dim=1)
        return -(logs.exp() * logs).sum(dim=1).mean()

    return cross_entropy


def cross_entropy_wrong_27():
    """[mutates] takes the maximum away in place."""
    import torch

    def cross_entropy(logits, labels):
        with torch.no_grad():
            logits -= logits.amax(dim=1, keepdim=True)
        own = logits[torch.arange(len(labels)), labels]
        return (logits.exp().sum(dim=1).log() - own).mean()

    return cross_entropy


def cross_entropy_wrong_28():
    """Divides by B - 1."""
    import torch

    def cross_entropy(logits, labels):
        logs = logits.log_softmax(dim=1)
        return -logs[torch.arange(len(labels)), labels].sum() / max(1, len(labels) - 1)

    return cross_entropy


def cross_entropy_wrong_29():
    """[corner] only the first image of the batch."""

    def cross_entropy(logits, labels):
        return -logits.log_softmax(dim=1)[0, labels[0]]

    return cross_entropy


def cross_entropy_right_01():
    """Logsumexp minus the own logit."""

    def cross_entropy(logits, labels):
        own = logits.gather(1, labels.unsqueeze(1)).squeeze(1)
        return (logits.logsumexp(dim=1) - own).mean()

    return cross_entropy


def cross_entropy_right_02():
    """A loop over the images."""
    import torch

    def cross_entropy(logits, labels):
        losses = []
        for row, label in zip(logits, labels):
            losses.append(torch.logsumexp(row, dim=0) - row[label])
        return torch.stack(losses).mean()

    return cross_entropy


def cross_entropy_right_03():
    """One-hot and einsum."""
    import torch
    import torch.nn.functional as F

    def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        one_hot = F.one_hot(labels, logits.size(1)).to(logits.dtype)
        return -torch.einsum("bk,bk->", logits.log_softmax(-1), one_hot) / logits.size(0)

    return cross_entropy


def cross_entropy_right_04():
    """The maximum taken away by hand."""

    def cross_entropy(logits, labels):
        shifted = logits - logits.amax(dim=1, keepdim=True)
        logs = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
        return logs[range(len(labels)), labels].mean().neg()

    return cross_entropy


def cross_entropy_right_05():
    """F.nll_loss, which is not on the list of the forbidden."""
    import torch.nn.functional as F

    def cross_entropy(logits, labels):
        return F.nll_loss(F.log_softmax(logits, dim=1), labels)

    return cross_entropy


def cross_entropy_right_06():
    """Take_along_dim, nn.LogSoftmax, forbidden names in a comment."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    def cross_entropy(logits, labels):
        # F.cross_entropy(logits, labels) and nn.CrossEntropyLoss() would do it at once
        logs = nn.LogSoftmax(dim=1)(logits)
        return -torch.take_along_dim(logs, labels[:, None], dim=1).mean()

    return cross_entropy


def cross_entropy_right_07():
    """Diagonal of the (B, B) table."""

    def cross_entropy(logits, labels):
        return -logits.log_softmax(dim=1)[:, labels].diagonal().mean()

    return cross_entropy


def cross_entropy_right_08():
    """Differences to the right class: log of the sum of exp(z_k - z_y), kept safe with logaddexp."""
    import torch

    def cross_entropy(logits, labels):
        away = logits - logits.gather(1, labels[:, None])
        total = away[:, 0]
        for k in range(1, away.shape[1]):
            total = torch.logaddexp(total, away[:, k])
        return total.mean()

    return cross_entropy


def cross_entropy_right_09():
    """Float64 inside, cast back."""
    import torch

    def cross_entropy(logits, labels):
        logs = logits.double().log_softmax(dim=1)
        return -logs[torch.arange(logits.shape[0]), labels].mean().to(logits.dtype)

    return cross_entropy


def cross_entropy_right_10():
    """Torch.distributions."""
    import torch

    def cross_entropy(logits, labels):
        return -torch.distributions.Categorical(logits=logits, validate_args=False).log_prob(labels).mean()

    return cross_entropy


def cross_entropy_right_11():
    """Nn.NLLLoss as a module, not on the list of the forbidden."""
    from torch import nn

    def cross_entropy(logits, labels):
        return nn.NLLLoss()(logits.log_softmax(dim=1), labels)

    return cross_entropy


def train_steps_wrong_01():
    """Gradients never forgotten."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_02():
    """Forgets between gradients and step."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.zero_grad()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_03():
    """Zero_grad once before the loop."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        optimizer.zero_grad()
        losses = []
        for images, labels in batches:
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_04():
    """No training mode."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_05():
    """Evaluation mode."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.eval()
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_06():
    """Training mode after the first batch."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            model.train()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_07():
    """Training mode at the end only."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.train()
        return losses

    return train_steps


def train_steps_wrong_08():
    """Step before backward."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            loss = F.cross_entropy(model(images), labels)
            optimizer.step()
            optimizer.zero_grad()
            loss.backward()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_09():
    """One step after the loop (gradients accumulated)."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
        return losses

    return train_steps


def train_steps_wrong_10():
    """No backward."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            optimizer.step()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_11():
    """No step."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_12():
    """Loss after the step."""
    import torch
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
            with torch.no_grad():
                losses.append(F.cross_entropy(model(images), labels).item())
        return losses

    return train_steps


def train_steps_wrong_13():
    """Losses as tensors."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return losses

    return train_steps


def train_steps_wrong_14():
    """One tensor of losses."""
    import torch
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return torch.tensor(losses)

    return train_steps


def train_steps_wrong_15():
    """Mean loss of the run."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        total, count = 0.0, 0
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            total, count = total + loss.item(), count + 1
        return total / max(1, count)

    return train_steps


def train_steps_wrong_16():
    """Running mean in the list."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses, total = [], 0.0
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
            losses.append(total / (len(losses) + 1))
        return losses

    return train_steps


def train_steps_wrong_17():
    """Return inside the loop: one batch only."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            return losses
        return losses

    return train_steps


def train_steps_wrong_18():
    """Two steps for each batch."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_19():
    """List emptied for each batch."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            losses = []
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_20():
    """Sum over the batch as the loss."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels, reduction="sum")
            loss.backward()
            optimizer.step()
            losses.append(loss.item() / len(labels))
        return losses

    return train_steps


def train_steps_wrong_21():
    """Softmax before the loss."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images).softmax(dim=1), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_22():
    """Its own SGD, the optimizer is not used."""
    import torch
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        rate = optimizer.param_groups[0]["lr"]
        losses = []
        for images, labels in batches:
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            with torch.no_grad():
                for p in model.parameters():
                    p -= rate * p.grad
                    p.grad = None
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_23():
    """A new optimizer for each batch: momentum is lost."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            fresh = type(optimizer)(model.parameters(), **{k: v for k, v in optimizer.defaults.items()})
            fresh.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            fresh.step()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_24():
    """Forgets only every second time."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for i, (images, labels) in enumerate(batches):
            if i % 2 == 0:
                optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_25():
    """Last batch left out [corner]."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in list(batches)[:-1]:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return train_steps


def train_steps_wrong_26():
    """Losses rounded as in the docstring."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(round(loss.item(), 2))
        return losses

    return train_steps


def train_steps_wrong_27():
    """Prints the losses and returns None."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            print(loss.item())

    return train_steps


def train_steps_right_01():
    """Forgets first."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches) -> list[float]:
        losses = []
        model.train()
        for images, labels in batches:
            optimizer.zero_grad()
            logits = model(images)
            loss = F.cross_entropy(logits, labels)
            losses.append(loss.item())
            loss.backward()
            optimizer.step()
        return losses

    return train_steps


def train_steps_right_02():
    """Train mode again in each round, forgets between forward and backward."""
    from torch import nn

    def train_steps(model, optimizer, batches):
        losses = []
        model.train(True)
        for batch in batches:
            model.train()
            loss = nn.CrossEntropyLoss()(model(batch[0]), batch[1])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses += [float(loss)]
        return losses

    return train_steps


def train_steps_right_03():
    """Helper for one step, list comprehension."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        def one(images, labels):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            return loss.detach().cpu().item()

        return [one(images, labels) for images, labels in batches] if model.train() else []

    return train_steps


def train_steps_right_04():
    """Recursion over an iterator."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        stream = iter(batches)
        model.train()
        pair = next(stream, None)
        if pair is None:
            return []
        images, labels = pair
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return [loss.item(), *train_steps(model, optimizer, stream)]

    return train_steps


def train_steps_right_05():
    """Losses detached and made numbers at the end."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        kept = []
        model.train()
        for images, labels in batches:
            loss = F.cross_entropy(input=model(images), target=labels)
            kept.append(loss.detach().clone())
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        return [k.item() for k in kept]

    return train_steps


def train_steps_right_06():
    """Log_softmax and nll_loss."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        model.train()
        losses = []
        for _, (x, y) in enumerate(batches):
            optimizer.zero_grad(set_to_none=False) if _ < 0 else optimizer.zero_grad()
            logs = F.log_softmax(model(x), dim=1)
            loss = -logs.gather(1, y.view(-1, 1)).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.tolist())
        return losses

    return train_steps


def train_steps_right_07():
    """A generator inside."""
    import torch.nn.functional as F

    def train_steps(model, optimizer, batches):
        def run():
            for images, labels in batches:
                loss = F.cross_entropy(model(images), labels)
                yield loss.item()
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()

        model.train()
        return list(run())

    return train_steps


def confusion_matrix_wrong_01():
    """Transposed: row = predicted."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        for says, true in zip(predicted.tolist(), labels.tolist()):
            matrix[says, true] += 1
        return matrix

    return confusion_matrix


def confusion_matrix_wrong_02():
    """+= with index lists: equal pairs count once."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        matrix[labels, predicted] += 1
        return matrix

    return confusion_matrix


def confusion_matrix_wrong_03():
    """1 instead of a count."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        for says, true in zip(predicted.tolist(), labels.tolist()):
            matrix[true, says] = 1
        return matrix

    return confusion_matrix


def confusion_matrix_wrong_04():
    """Shares of each row."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = torch.zeros(num_classes, num_classes)
        for says, true in zip(predicted.tolist(), labels.tolist()):
            matrix[true, says] += 1
        return matrix / matrix.sum(dim=1, keepdim=True).clamp(min=1)

    return confusion_matrix


def confusion_matrix_wrong_05():
    """Only classes that occur."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        k = int(max(predicted.max(), labels.max())) + 1
        matrix = torch.zeros(k, k, dtype=torch.int64)
        for says, true in zip(predicted.tolist(), labels.tolist()):
            matrix[true, says] += 1
        return matrix

    return confusion_matrix


def confusion_matrix_wrong_06():
    """[corner] [raises] bincount without minlength."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        return torch.bincount(labels * num_classes + predicted).reshape(num_classes, num_classes)

    return confusion_matrix


def confusion_matrix_wrong_07():
    """Pair number exchanged."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        pairs = predicted * num_classes + labels
        return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)

    return confusion_matrix


def confusion_matrix_wrong_08():
    """Mistakes only: diagonal left at 0."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        for says, true in zip(predicted.tolist(), labels.tolist()):
            if says != true:
                matrix[true, says] += 1
        return matrix

    return confusion_matrix


def confusion_matrix_wrong_09():
    """Right answers only."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        return torch.diag(torch.bincount(labels[predicted == labels], minlength=num_classes))

    return confusion_matrix


def confusion_matrix_wrong_10():
    """Symmetric: counts both directions."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        for says, true in zip(predicted.tolist(), labels.tolist()):
            matrix[true, says] += 1
            matrix[says, true] += says != true
        return matrix

    return confusion_matrix


def confusion_matrix_wrong_11():
    """[corner] uint8: more than 255 images of a pair overflow."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = torch.zeros(num_classes, num_classes, dtype=torch.uint8)
        for says, true in zip(predicted.tolist(), labels.tolist()):
            matrix[true, says] += 1
        return matrix.long()

    return confusion_matrix


def confusion_matrix_wrong_12():
    """A nested list."""

    def confusion_matrix(predicted, labels, num_classes):
        matrix = [[0] * num_classes for _ in range(num_classes)]
        for says, true in zip(predicted.tolist(), labels.tolist()):
            matrix[true][says] += 1
        return matrix

    return confusion_matrix


def confusion_matrix_wrong_13():
    """Rows that are one and the same list."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = [[0] * num_classes] * num_classes
        for says, true in zip(predicted.tolist(), labels.tolist()):
            matrix[true][says] += 1
        return torch.tensor(matrix)

    return confusion_matrix


def confusion_matrix_wrong_14():
    """A numpy array."""
    import numpy as np

    def confusion_matrix(predicted, labels, num_classes):
        matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
        np.add.at(matrix, (labels.numpy(), predicted.numpy()), 1)
        return matrix

    return confusion_matrix


def confusion_matrix_wrong_15():
    """Flat: (K*K,)."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        return torch.bincount(labels * num_classes + predicted, minlength=num_classes**2)

    return confusion_matrix


def confusion_matrix_wrong_16():
    """Ten classes hard-coded."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        return torch.bincount(labels * 10 + predicted, minlength=100).reshape(10, 10)

    return confusion_matrix


def confusion_matrix_wrong_17():
    """Last image left out."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        for i in range(len(labels) - 1):
            matrix[labels[i], predicted[i]] += 1
        return matrix

    return confusion_matrix


def confusion_matrix_wrong_18():
    """A dict of the pairs."""

    def confusion_matrix(predicted, labels, num_classes):
        counts = {}
        for pair in zip(labels.tolist(), predicted.tolist()):
            counts[pair] = counts.get(pair, 0) + 1
        return counts

    return confusion_matrix


def confusion_matrix_wrong_19():
    """Every label with every prediction."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        for true in labels.tolist():
            for says in predicted.tolist():
                matrix[true, says] += 1
        return matrix

    return confusion_matrix


def confusion_matrix_wrong_20():
    """Starts from torch.empty in effect: ones instead of zeros."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = torch.ones(num_classes, num_classes, dtype=torch.int64)
        for says, true in zip(predicted.tolist(), labels.tolist()):
            matrix[true, says] += 1
        return matrix

    return confusion_matrix


def confusion_matrix_wrong_21():
    """In per cent of all images."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        pairs = torch.bincount(labels * num_classes + predicted, minlength=num_classes**2)
        return (100 * pairs // len(labels)).reshape(num_classes, num_classes)

    return confusion_matrix


def confusion_matrix_wrong_22():
    """[mutates] makes pair numbers in place."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        labels *= num_classes
        labels += predicted
        return torch.bincount(labels, minlength=num_classes**2).reshape(num_classes, num_classes)

    return confusion_matrix


def confusion_matrix_right_01():
    """Bincount."""

    def confusion_matrix(predicted, labels, num_classes):
        counts = (labels * num_classes + predicted).bincount(minlength=num_classes * num_classes)
        return counts.view(num_classes, num_classes)

    return confusion_matrix


def confusion_matrix_right_02():
    """Product of two one-hot tables."""
    import torch
    import torch.nn.functional as F

    def confusion_matrix(predicted: torch.Tensor, labels: torch.Tensor, num_classes: int) -> torch.Tensor:
        return F.one_hot(labels, num_classes).T @ F.one_hot(predicted, num_classes)

    return confusion_matrix


def confusion_matrix_right_03():
    """Index_put_ with accumulate."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = torch.zeros((num_classes, num_classes), dtype=torch.long)
        return matrix.index_put_((labels, predicted), torch.ones_like(labels), accumulate=True)

    return confusion_matrix


def confusion_matrix_right_04():
    """Counted pair by pair."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        classes = range(num_classes)
        rows = [[((labels == true) & (predicted == says)).sum() for says in classes] for true in classes]
        return torch.stack([torch.stack(row) for row in rows])

    return confusion_matrix


def confusion_matrix_right_05():
    """Numpy inside."""
    import numpy as np
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
        np.add.at(matrix, (labels.numpy(), predicted.numpy()), 1)
        return torch.from_numpy(matrix)

    return confusion_matrix


def confusion_matrix_right_06():
    """Counter."""
    import torch

    from collections import Counter

    def confusion_matrix(predicted, labels, num_classes):
        counts = Counter(zip(labels.tolist(), predicted.tolist()))
        return torch.tensor([[counts[t, p] for p in range(num_classes)] for t in range(num_classes)])

    return confusion_matrix


def confusion_matrix_right_07():
    """Sparse."""
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        pairs = torch.stack([labels, predicted])
        ones = torch.ones(pairs.shape[1], dtype=torch.int64)
        return torch.sparse_coo_tensor(pairs, ones, (num_classes, num_classes)).to_dense()

    return confusion_matrix


def confusion_matrix_right_08():
    """Einsum over comparisons."""
    import numpy as np
    import torch

    def confusion_matrix(predicted, labels, num_classes):
        k = torch.arange(num_classes)
        true, says = (labels[:, None] == k).double(), (predicted[:, None] == k).double()
        return torch.einsum("nt,np->tp", true, says).round().long()

    return confusion_matrix


# exercise, what the check says (None: wrong, without a name), attempt
ATTEMPTS = [
    (checks.learning_rate_at, "the warm-up starts at 0", learning_rate_at_wrong_01),
    (checks.learning_rate_at, "the cosine does not reach the end", learning_rate_at_wrong_02),
    (checks.learning_rate_at, "the fall begins one step early", learning_rate_at_wrong_03),
    (checks.learning_rate_at, "the warm-up does not reach the peak", learning_rate_at_wrong_04),
    (checks.learning_rate_at, "the warm-up is one step too long", learning_rate_at_wrong_05),
    (checks.learning_rate_at, "right for some sizes only", learning_rate_at_wrong_06),
    (checks.learning_rate_at, "the cosine counts from step 0", learning_rate_at_wrong_07),
    (checks.learning_rate_at, "the cosine counts from step 0", learning_rate_at_wrong_08),
    (checks.learning_rate_at, "a straight line", learning_rate_at_wrong_09),
    (checks.learning_rate_at, "degrees instead of radians", learning_rate_at_wrong_10),
    (checks.learning_rate_at, "a quarter of the cosine", learning_rate_at_wrong_11),
    (checks.learning_rate_at, "twice the peak", learning_rate_at_wrong_12),
    (checks.learning_rate_at, "the peak is left out", learning_rate_at_wrong_13),
    (checks.learning_rate_at, "the peak is left out", learning_rate_at_wrong_14),
    (checks.learning_rate_at, "whole-number division", learning_rate_at_wrong_15),
    (checks.learning_rate_at, "a floor above 0", learning_rate_at_wrong_16),
    (checks.learning_rate_at, None, learning_rate_at_wrong_17),
    (checks.learning_rate_at, "rounded", learning_rate_at_wrong_18),
    (checks.learning_rate_at, "another kind of result", learning_rate_at_wrong_19),
    (checks.learning_rate_at, "the cosine rises", learning_rate_at_wrong_20),
    (checks.learning_rate_at, "the fall begins one step early", learning_rate_at_wrong_21),
    (checks.learning_rate_at, None, learning_rate_at_wrong_22),
    (checks.learning_rate_at, "a warm-up where there is none", learning_rate_at_wrong_23),
    (checks.learning_rate_at, "nothing is returned", learning_rate_at_wrong_24),
    (checks.learning_rate_at, "correct", learning_rate_at_right_01),
    (checks.learning_rate_at, "correct", learning_rate_at_right_02),
    (checks.learning_rate_at, "correct", learning_rate_at_right_03),
    (checks.learning_rate_at, "correct", learning_rate_at_right_04),
    (checks.learning_rate_at, "correct", learning_rate_at_right_05),
    (checks.learning_rate_at, "correct", learning_rate_at_right_06),
    (checks.learning_rate_at, "correct", learning_rate_at_right_07),
    (checks.cross_entropy, "the minus is missing", cross_entropy_wrong_01),
    (checks.cross_entropy, "sum instead of mean", cross_entropy_wrong_02),
    (checks.cross_entropy, "every image with every label", cross_entropy_wrong_03),
    (checks.cross_entropy, "softmax over the batch", cross_entropy_wrong_04),
    (checks.cross_entropy, "large numbers overflow", cross_entropy_wrong_05),
    (checks.cross_entropy, "large numbers overflow", cross_entropy_wrong_06),
    (checks.cross_entropy, "a small number against the logarithm of 0", cross_entropy_wrong_07),
    (checks.cross_entropy, "large logits are cut off", cross_entropy_wrong_08),
    (checks.cross_entropy, "large numbers overflow", cross_entropy_wrong_09),
    (checks.cross_entropy, "one maximum for the whole batch", cross_entropy_wrong_10),
    (checks.cross_entropy, "another logarithm", cross_entropy_wrong_11),
    (checks.cross_entropy, "mean over all classes", cross_entropy_wrong_12),
    (checks.cross_entropy, "the logarithm of the mean", cross_entropy_wrong_13),
    (checks.cross_entropy, "no softmax and no logarithm", cross_entropy_wrong_14),
    (checks.cross_entropy, "no logarithm", cross_entropy_wrong_15),
    (checks.cross_entropy, "softmax twice", cross_entropy_wrong_16),
    (checks.cross_entropy, "one loss for each image", cross_entropy_wrong_17),
    (checks.cross_entropy, "an axis of length 1 too many", cross_entropy_wrong_18),
    (checks.cross_entropy, "a plain number", cross_entropy_wrong_19),
    (checks.cross_entropy, "no gradient", cross_entropy_wrong_20),
    (checks.cross_entropy, "the ready-made function", cross_entropy_wrong_21),
    (checks.cross_entropy, "the ready-made function", cross_entropy_wrong_22),
    (checks.cross_entropy, "the ready-made function", cross_entropy_wrong_23),
    (checks.cross_entropy, "the ready-made function", cross_entropy_wrong_24),
    (checks.cross_entropy, "the labels are not used", cross_entropy_wrong_25),
    (checks.cross_entropy, "the entropy of the model", cross_entropy_wrong_26),
    (checks.cross_entropy, "changes its input", cross_entropy_wrong_27),
    (checks.cross_entropy, "divided by one less", cross_entropy_wrong_28),
    (checks.cross_entropy, "only one image counts", cross_entropy_wrong_29),
    (checks.cross_entropy, "correct", cross_entropy_right_01),
    (checks.cross_entropy, "correct", cross_entropy_right_02),
    (checks.cross_entropy, "correct", cross_entropy_right_03),
    (checks.cross_entropy, "correct", cross_entropy_right_04),
    (checks.cross_entropy, "correct", cross_entropy_right_05),
    (checks.cross_entropy, "correct", cross_entropy_right_06),
    (checks.cross_entropy, "correct", cross_entropy_right_07),
    (checks.cross_entropy, "correct", cross_entropy_right_08),
    (checks.cross_entropy, "correct", cross_entropy_right_09),
    (checks.cross_entropy, "correct", cross_entropy_right_10),
    (checks.cross_entropy, "correct", cross_entropy_right_11),
    (checks.train_steps, "gradients add up", train_steps_wrong_01),
    (checks.train_steps, "the weights never change", train_steps_wrong_02),
    (checks.train_steps, "gradients add up", train_steps_wrong_03),
    (checks.train_steps, "not in training mode", train_steps_wrong_04),
    (checks.train_steps, "not in training mode", train_steps_wrong_05),
    (checks.train_steps, "training mode after the first batch", train_steps_wrong_06),
    (checks.train_steps, "not in training mode", train_steps_wrong_07),
    (checks.train_steps, "the step comes before the gradients", train_steps_wrong_08),
    (checks.train_steps, "one step for all batches", train_steps_wrong_09),
    (checks.train_steps, "the weights never change", train_steps_wrong_10),
    (checks.train_steps, "the weights never change", train_steps_wrong_11),
    (checks.train_steps, "the loss is measured after the step", train_steps_wrong_12),
    (checks.train_steps, "the losses are tensors", train_steps_wrong_13),
    (checks.train_steps, "the losses are tensors", train_steps_wrong_14),
    (checks.train_steps, "one number for all batches", train_steps_wrong_15),
    (checks.train_steps, "a running mean", train_steps_wrong_16),
    (checks.train_steps, "only the first batch", train_steps_wrong_17),
    (checks.train_steps, "two steps for each batch", train_steps_wrong_18),
    (checks.train_steps, "one number for all batches", train_steps_wrong_19),
    (checks.train_steps, "sum instead of mean", train_steps_wrong_20),
    (checks.train_steps, "softmax before the loss", train_steps_wrong_21),
    (checks.train_steps, "the optimiser is not used", train_steps_wrong_22),
    (checks.train_steps, "right for some sizes only", train_steps_wrong_23),
    (checks.train_steps, "forgotten only now and then", train_steps_wrong_24),
    (checks.train_steps, "a batch left out", train_steps_wrong_25),
    (checks.train_steps, "the losses are rounded", train_steps_wrong_26),
    (checks.train_steps, "the losses are not returned", train_steps_wrong_27),
    (checks.train_steps, "correct", train_steps_right_01),
    (checks.train_steps, "correct", train_steps_right_02),
    (checks.train_steps, "correct", train_steps_right_03),
    (checks.train_steps, "correct", train_steps_right_04),
    (checks.train_steps, "correct", train_steps_right_05),
    (checks.train_steps, "correct", train_steps_right_06),
    (checks.train_steps, "correct", train_steps_right_07),
    (checks.confusion_matrix, "rows and columns exchanged", confusion_matrix_wrong_01),
    (checks.confusion_matrix, "each pair is counted once", confusion_matrix_wrong_02),
    (checks.confusion_matrix, "each pair is counted once", confusion_matrix_wrong_03),
    (checks.confusion_matrix, "shares instead of counts", confusion_matrix_wrong_04),
    (checks.confusion_matrix, "the size comes from the data", confusion_matrix_wrong_05),
    (checks.confusion_matrix, "the size comes from the data", confusion_matrix_wrong_06),
    (checks.confusion_matrix, "rows and columns exchanged", confusion_matrix_wrong_07),
    (checks.confusion_matrix, "only the mistakes", confusion_matrix_wrong_08),
    (checks.confusion_matrix, "only the right answers", confusion_matrix_wrong_09),
    (checks.confusion_matrix, "counted in both directions", confusion_matrix_wrong_10),
    (checks.confusion_matrix, "the counts overflow", confusion_matrix_wrong_11),
    (checks.confusion_matrix, "a list in place of a tensor", confusion_matrix_wrong_12),
    (checks.confusion_matrix, "all rows are the same list", confusion_matrix_wrong_13),
    (checks.confusion_matrix, "an array in place of a tensor", confusion_matrix_wrong_14),
    (checks.confusion_matrix, "flattened", confusion_matrix_wrong_15),
    (checks.confusion_matrix, None, confusion_matrix_wrong_16),
    (checks.confusion_matrix, "an image left out", confusion_matrix_wrong_17),
    (checks.confusion_matrix, "another kind of result", confusion_matrix_wrong_18),
    (checks.confusion_matrix, "every label with every prediction", confusion_matrix_wrong_19),
    (checks.confusion_matrix, "one too many or one too few", confusion_matrix_wrong_20),
    (checks.confusion_matrix, "shares instead of counts", confusion_matrix_wrong_21),
    (checks.confusion_matrix, "changes its input", confusion_matrix_wrong_22),
    (checks.confusion_matrix, "correct", confusion_matrix_right_01),
    (checks.confusion_matrix, "correct", confusion_matrix_right_02),
    (checks.confusion_matrix, "correct", confusion_matrix_right_03),
    (checks.confusion_matrix, "correct", confusion_matrix_right_04),
    (checks.confusion_matrix, "correct", confusion_matrix_right_05),
    (checks.confusion_matrix, "correct", confusion_matrix_right_06),
    (checks.confusion_matrix, "correct", confusion_matrix_right_07),
    (checks.confusion_matrix, "correct", confusion_matrix_right_08),
]
