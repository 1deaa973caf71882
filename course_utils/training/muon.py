"""Muon: an optimiser for weight matrices that turns every direction of the gradient into a step of the same size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

POLYNOMIAL = (3.4445, -4.7750, 2.0315)  # a, b, c


def orthogonalise(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Bring all singular values of a matrix near 1 and keep its singular vectors: U S V^T -> about U V^T.

    No singular value is computed. Each iteration puts them all through the same polynomial of odd powers,
    a s + b s^3 + c s^5, which only needs matrix products. Five times over, it takes what lies between 0.003 and 1 to
    between 0.68 and 1.21: near enough, and sooner than a polynomial that ends at 1.

    Args:
        matrix: (m, n).
        iterations: How often it goes through the polynomial.

    Returns:
        The same shape.

    Source: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
    https://kellerjordan.github.io/posts/muon
    """
    a, b, c = POLYNOMIAL
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix  # m <= n: the products below are of the smaller side
    x = x / x.norm().clamp(min=1e-7)  # no singular value is above 1
    for _ in range(iterations):
        gram = x @ x.T  # (m, n) -> (m, m)
        gram = torch.addmm(gram, gram, gram, beta=b, alpha=c)  # b G + c G G
        x = torch.addmm(x, gram, x, beta=a)  # a X + (b G + c G G) X: (m, n)
    return x.T if tall else x


def orthogonalise_together(matrices: Sequence[Tensor], dtype: torch.dtype, iterations: int = 5) -> tuple[Tensor, ...]:
    """Do what :func:`orthogonalise` does to many matrices of one shape at once: a GPU is busier then.

    Args:
        matrices: k of them, each (m, n).
        dtype: Number format of the matrix products. What comes back has the format of the matrices.
        iterations: How often they go through the polynomial.
    """
    stack = torch.stack(list(matrices)).to(dtype)  # k times (m, n) -> (k, m, n)
    a, b, c = POLYNOMIAL
    tall = stack.shape[1] > stack.shape[2]
    x = stack.mT if tall else stack
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(iterations):
        gram = x @ x.mT  # (k, m, n) -> (k, m, m)
        gram = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, gram, x, beta=a)  # (k, m, n)
    x = x.mT if tall else x
    return x.to(matrices[0].dtype).contiguous().unbind()


class Muon(torch.optim.AdamW):
    """Muon for the parameter groups that ask for it with ``"muon": True``, AdamW for the others.

    AdamW scales every number of a matrix by itself. Muon takes the matrix as a map: it averages the gradients and
    makes the average orthogonal, so that rare directions are learned as fast as frequent ones. The step of an m x n
    matrix is scaled by 0.2 sqrt(max(m, n)), about the size of AdamW's steps; so both share one learning rate.

    A convolution's kernel (out, in, k, k) is a map too, from the in * k * k numbers under it to out numbers: it is
    taken as a matrix of that size.

    Args:
        groups: Parameter groups; those with ``"muon": True`` hold matrices and kernels.
        momentum: How slowly the average of the gradients changes (Nesterov's form).
        dtype: Number format of the polynomial's matrix products. bfloat16 does for them, as in the source: what it
            rounds is far less than what the polynomial leaves.
        options: Of AdamW: lr, betas, weight_decay, fused.

    Source: Jordan et al. 2024, see :func:`orthogonalise`; scale: Liu et al. 2025, arXiv 2502.16982, section 2.2.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        momentum: float = 0.95,
        dtype: torch.dtype = torch.float32,
        **options: Any,
    ) -> None:
        super().__init__([{"muon": False} | group for group in groups], **options)
        self.momentum, self.dtype = momentum, dtype

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Take one step, and forget the gradients of the matrices."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for matrix in group["params"]:
                if group["muon"] and matrix.grad is not None:
                    by_shape.setdefault(matrix.shape, []).append(matrix)
            for matrices in by_shape.values():
                self._move(matrices, group["lr"], group["weight_decay"])
        super().step()

    def _move(self, matrices: list[Tensor], rate: float, weight_decay: float) -> None:
        """Take the step of matrices of one shape. A ``_foreach`` function is a loop over them, one kernel on a GPU."""
        for matrix in matrices:
            state = self.state[matrix]
            if not state:
                state |= {"step": torch.tensor(0.0), "momentum": torch.zeros_like(matrix)}
            state["step"] += 1  # AdamW counts its steps, and wants to find the count in every state
        gradients = [matrix.grad for matrix in matrices if matrix.grad is not None]
        momenta = [self.state[matrix]["momentum"] for matrix in matrices]
        torch._foreach_lerp_(momenta, gradients, 1 - self.momentum)
        directions = torch._foreach_lerp(gradients, momenta, self.momentum)
        directions = tuple(direction.flatten(1) for direction in directions)  # kernels -> (out, in*k*k)
        longer_side = max(directions[0].shape)
        if matrices[0].is_cuda:
            directions = orthogonalise_together(directions, self.dtype)
        else:
            directions = tuple(orthogonalise(direction.to(self.dtype)) for direction in directions)
        directions = tuple(direction.reshape(matrices[0].shape) for direction in directions)
        torch._foreach_mul_(matrices, 1 - rate * weight_decay)
        torch._foreach_sub_(matrices, directions, alpha=rate * 0.2 * longer_side**0.5)
        for matrix in matrices:
            matrix.grad = None  # AdamW passes over what has no gradient
