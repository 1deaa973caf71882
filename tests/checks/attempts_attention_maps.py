"""Attempts at the exercises of lesson 07 (attention_maps), wrong and right, written as learners may write them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from course_utils.checks.attention_maps import class_token_map, mean_attention_distance, rollout
from course_utils.checks.core import Exercise

# Exercise 1


def map_of_column(weights, grid):
    h = weights.shape[0]
    average = sum(weights[i] for i in range(h)) / h
    return average[:, 0][1:].view(grid)


def map_with_class_token(weights, grid):
    average = torch.mean(weights, 0)
    return average[0, :].view(grid[0], grid[1])


def map_with_class_token_not_reshaped(weights, grid):
    return torch.mean(weights, 0)[0]


def map_without_last(weights, grid):
    rows, columns = grid
    result = torch.zeros(rows, columns)
    for r in range(rows):
        for c in range(columns):
            result[r, c] = weights[:, 0, r * columns + c].mean()
    return result


def map_of_last_token(weights, grid):
    return torch.mean(weights, dim=0)[-1][1:].view(*grid)


def map_of_first_patch(weights, grid):
    return torch.mean(weights, dim=0)[1][1:].view(*grid)


def map_max(weights, grid):
    return weights.max(dim=0).values[0][1:].view(grid)


def map_sum(weights, grid):
    return torch.einsum("hnm->nm", weights)[0, 1:].view(grid)


def map_one_head(weights, grid):
    head = weights[0]
    return head[0][1:].view(grid)


def map_each_head(weights, grid):
    return torch.stack([head[0, 1:].view(grid) for head in weights])


def map_all_rows(weights, grid):
    received = weights.mean(dim=1)  # (h, N)
    return received.mean(dim=0)[1:].view(grid)


def map_transposed_shape(weights, grid):
    rows, columns = grid
    return weights.mean(0)[0][1:].view(columns, rows)


def map_column_by_column(weights, grid):
    row = weights.mean(0)[0][1:]
    result = torch.zeros(grid)
    for index, value in enumerate(row):
        result[index % grid[0], index // grid[0]] = value
    return result


def map_each_head_not_reshaped(weights, grid):
    return weights[:, 0, 1:].reshape(grid[0], grid[1])


def map_mean_of_columns(weights, grid):
    average = torch.mean(weights, dim=2)  # (h, N)
    return average[0][1:].reshape(grid)


def map_mean_of_columns_and_heads(weights, grid):
    return weights.mean(dim=[0, 2])[1:].view(grid)


def map_mean_of_rows(weights, grid):
    average = weights.sum(1) / weights.size(1)  # (h, N)
    return average[0, 1:].view(grid)


def map_patch_rows(weights, grid):
    patches = weights.mean(0)[1:]
    return (patches.sum(0) / len(patches))[1:].view(grid)


def map_over_four(weights, grid):
    total = 0
    for head in weights:
        total = total + head[0, 1:]
    return total.view(grid) / 4


def map_of_two(weights, grid):
    return (torch.sum(weights, dim=0)[0][1:] * 0.5).view(grid)


def map_square(weights, grid):
    row = weights.mean(0)[0][1:]
    side = int(len(row) ** 0.5)
    return row.reshape(side, -1)


def map_square_exactly(weights, grid):
    row = weights.mean(0)[0][1:]
    side = int(math.sqrt(len(row)))
    return row.reshape(side, side)


def map_brightest_is_1(weights, grid):
    fused = weights.mean(0)[0][1:].view(grid)
    return fused / fused.amax()


def map_from_0_to_1(weights, grid):
    fused = weights.mean(0)[0][1:].view(grid)
    low, high = torch.aminmax(fused)
    return (fused - low) / (high - low)


def map_normalised(weights, grid):
    fused = weights.mean(0)[0][1:]
    fused = fused / torch.sum(fused)
    return fused.view(grid)


# Exercise 2


def rollout_no_residual(weights):
    total = torch.eye(weights.size(-1))
    for i in range(weights.size(0)):
        total = torch.matmul(torch.mean(weights[i], 0), total)
    return total


def rollout_wrong_order(weights):
    eye = torch.eye(weights.size(-1))
    out = eye
    for a in weights:
        out = out @ (0.5 * a.mean(0) + 0.5 * eye)
    return out


def rollout_not_divided(weights):
    eye = torch.eye(weights.size(-1))
    out = eye
    for a in weights:
        out = (a.mean(0) + eye) @ out
    return out


def rollout_overwritten(weights):
    eye = torch.eye(weights.size(-1))
    for a in weights:
        out = 0.5 * a.mean(0) + 0.5 * eye
        out = out @ eye
    return out


def rollout_returns_early(weights):
    eye = torch.eye(weights.size(-1))
    out = eye
    for a in weights:
        out = (0.5 * a.mean(0) + 0.5 * eye) @ out
        return out


def rollout_starts_late(weights):
    eye = torch.eye(weights.size(-1))
    out = eye
    for i in range(1, len(weights)):
        out = (0.5 * weights[i].mean(0) + 0.5 * eye) @ out
    return out


def rollout_elementwise(weights):
    eye = torch.eye(weights.size(-1))
    out = torch.ones_like(eye)
    for a in weights:
        out = out * (0.5 * a.mean(0) + 0.5 * eye)
    return out


def rollout_averaged(weights):
    n = weights.size(-1)
    return 0.5 * weights.mean(dim=(0, 1)) + 0.5 * torch.eye(n)


def rollout_residual_at_the_end(weights):
    out = torch.eye(weights.size(-1))
    for a in weights.mean(1):
        out = a @ out
    return 0.5 * out + 0.5 * torch.eye(weights.size(-1))


def rollout_max(weights):
    eye = torch.eye(weights.size(-1))
    out = eye
    for a in weights:
        out = (0.5 * a.max(dim=0).values + 0.5 * eye) @ out
    return out


def rollout_columns(weights):
    eye = torch.eye(weights.size(-1))
    out = eye
    for a in weights.mean(1):
        step = a + eye
        step = step / step.sum(dim=0)
        out = step @ out
    return out


def walk(steps, start=None):
    """Apply one matrix after the other, the first one first."""
    out = torch.eye(steps[0].size(-1)) if start is None else start
    for step in steps:
        out = torch.einsum("ij,jk->ik", step, out)
    return out


def half(attention):
    return 0.5 * attention + 0.5 * torch.eye(attention.size(-1))


def rollout_first_head(weights):
    return walk([half(layer[0]) for layer in weights])


def rollout_last_head(weights):
    return walk([half(layer[-1]) for layer in weights])


def rollout_heads_last(weights):
    h = weights.size(1)
    return sum(walk([half(layer[i]) for layer in weights]) for i in range(h)) / h


def rollout_each_head(weights):
    eye = torch.eye(weights.size(-1))
    out = eye.repeat(weights.size(1), 1, 1)
    for layer in weights:
        out = torch.bmm(0.5 * layer + 0.5 * eye, out)
    return out


def rollout_heads_added(weights):
    return walk([half(layer.sum(dim=0)) for layer in weights])


def rollout_over_heads(weights):
    return walk([half(each) for each in weights.mean(dim=0)])


def rollout_of_layer_0(weights):
    return walk([half(weights[0].mean(0)) for _ in weights])


def rollout_starts_with_a_layer(weights):
    steps = [half(layer.mean(0)) for layer in weights]
    return walk(steps, start=steps[0])


def rollout_of_class_token(weights):
    row = torch.zeros(weights.size(-1))
    row[0] = 1
    for layer in reversed(weights.mean(1)):
        row = 0.5 * (row @ layer) + 0.5 * row
    return row


def rollout_transposed(weights):
    return walk([half(layer.mean(0)) for layer in weights]).t()


def rollout_less_identity(weights):
    out = walk([half(layer.mean(0)) for layer in weights])
    out.diagonal().sub_(1)
    return out


def rollout_keepdim(weights):
    steps = torch.mean(weights, 1) + torch.eye(weights.size(-1))  # (L, N, N)
    return walk(steps / torch.sum(steps, 2))


# Exercise 3


def distance_by_loops(
    weights, grid, patch_size, between=None, keep=slice(1, None), normalise=True, divide_by=None, width=None
):
    """The whole computation, number by number; the keywords make it wrong."""
    width = width or grid[1]
    between = between or (lambda dr, dc: math.hypot(dr, dc) * patch_size)
    result = []
    for head in weights[:, keep, keep].tolist():
        total = 0.0
        for i, row in enumerate(head):
            whole = sum(row) if normalise else 1.0
            for j, weight in enumerate(row):
                total += weight / whole * between(i // width - j // width, i % width - j % width)
        result.append(total / (divide_by or len(head)))
    return torch.tensor(result)


def distance_in_patches(weights, grid, patch_size):
    return distance_by_loops(weights, grid, 1)


def distance_squared(weights, grid, patch_size):
    return distance_by_loops(weights, grid, patch_size, lambda dr, dc: (dr * patch_size) ** 2 + (dc * patch_size) ** 2)


def distance_squared_in_patches(weights, grid, patch_size):
    return distance_by_loops(weights, grid, patch_size, lambda dr, dc: (dr**2 + dc**2) * patch_size)


def distance_taxi(weights, grid, patch_size):
    return distance_by_loops(weights, grid, patch_size, lambda dr, dc: (abs(dr) + abs(dc)) * patch_size)


def distance_table(grid, patch_size):
    y, x = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    y, x = y.flatten() * float(patch_size), x.flatten() * float(patch_size)
    return ((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2).sqrt()


def distance_unweighted(weights, grid, patch_size):
    return torch.stack([distance_table(grid, patch_size).mean() for _ in weights])


def distance_with_class_token(weights, grid, patch_size):
    weighted = weights * distance_table(grid, patch_size)
    return weighted.sum(2).mean(1)


def distance_without_last(weights, grid, patch_size):
    return distance_by_loops(weights, grid, patch_size, keep=slice(0, -1))


def distance_not_normalised(weights, grid, patch_size):
    return distance_by_loops(weights, grid, patch_size, normalise=False)


def distance_thrown_together(weights, grid, patch_size):
    patches = weights[:, 1:, 1:]
    return torch.stack([(a * distance_table(grid, patch_size)).sum() / a.sum() for a in patches])


def distance_summed(weights, grid, patch_size):
    return distance_by_loops(weights, grid, patch_size, divide_by=1)


def distance_one_number(weights, grid, patch_size):
    return distance_by_loops(weights, grid, patch_size).mean()


def distance_of_mean_head(weights, grid, patch_size):
    return distance_by_loops(weights.mean(0)[None], grid, patch_size)[0]


def distance_grid_exchanged(weights, grid, patch_size):
    return distance_by_loops(weights, grid, patch_size, width=grid[0])


def distance_by_patch(weights, grid, patch_size):
    patches = weights[:, 1:, 1:]
    return (patches * distance_table(grid, patch_size)).sum(2) / patches.sum(2)


def distance_mean_over_heads_only(weights, grid, patch_size):
    return torch.mean(distance_by_patch(weights, grid, patch_size), dim=0)


def distance_heads_added(weights, grid, patch_size):
    return sum(distance_by_loops(weights, grid, patch_size))


def distance_of_numbers(weights, grid, patch_size):
    index = torch.arange(grid[0] * grid[1])
    patches = weights[:, 1:, 1:]
    weighted = patches * (index[:, None] - index).abs() * patch_size
    return (weighted.sum(2) / patches.sum(2)).mean(1)


def distance_square(weights, grid, patch_size):
    patches = weights[:, 1:, 1:] / weights[:, 1:, 1:].sum(dim=2, keepdim=True)
    return (patches * distance_table((grid[0], grid[0]), patch_size)).sum(dim=2).mean(dim=1)


def distance_king(weights, grid, patch_size):
    return distance_by_loops(weights, grid, patch_size, lambda dr, dc: max(abs(dr), abs(dc)) * patch_size)


def distance_class_everywhere(weights, grid, patch_size):
    n = weights.shape[-1]
    table = torch.zeros(n, n)
    table[1:, 1:] = distance_table(grid, patch_size)
    return torch.stack([(head * table).sum(dim=1).mean() for head in weights])


def distance_class_row_kept(weights, grid, patch_size):
    n = weights.shape[-1]
    table = torch.zeros(n, n - 1)
    table[1:] = distance_table(grid, patch_size)
    rest = weights[:, :, 1:] / weights[:, :, 1:].sum(dim=2, keepdim=True)
    return (rest * table).sum(dim=(1, 2)) / n


def distance_to_others(weights, grid, patch_size):
    patches = weights[:, 1:, 1:].clone()
    for head in patches:
        head.fill_diagonal_(0)
    patches = patches / patches.sum(-1, keepdim=True)
    return (patches * distance_table(grid, patch_size)).sum(-1).mean(-1)


def distance_softmax(weights, grid, patch_size):
    patches = torch.softmax(weights[:, 1:, 1:], dim=2)
    return torch.einsum("hij,ij->h", patches, distance_table(grid, patch_size)) / patches.shape[1]


def distance_columns(weights, grid, patch_size):
    patches = weights[:, 1:, 1:]
    patches = patches / patches.sum(dim=1, keepdim=True)
    return (patches * distance_table(grid, patch_size)).sum(dim=(1, 2)) / patches.shape[1]


def distance_keepdim(weights, grid, patch_size):
    patches = weights[:, 1:, 1:]
    patches = patches / patches.sum(dim=2)
    return (patches * distance_table(grid, patch_size)).sum(dim=2).mean(dim=1)


def distance_meaned(weights, grid, patch_size):
    patches = weights[:, 1:, 1:]
    patches = patches / patches.sum(-1, True)
    return torch.mean(patches * distance_table(grid, patch_size), dim=(1, 2))


WRONG_ATTEMPTS: list[tuple[Exercise, str, Callable]] = [
    (class_token_map, "column instead of row", map_of_column),
    (class_token_map, "class token not removed", map_with_class_token),
    (class_token_map, "class token not removed", map_with_class_token_not_reshaped),
    (class_token_map, "last token dropped instead of the first", map_without_last),
    (class_token_map, "row of a patch instead of the class token", map_of_last_token),
    (class_token_map, "row of a patch instead of the class token", map_of_first_patch),
    (class_token_map, "maximum over the heads", map_max),
    (class_token_map, "sum over the heads", map_sum),
    (class_token_map, "one head only", map_one_head),
    (class_token_map, "heads still apart", map_each_head),
    (class_token_map, "heads still apart", map_each_head_not_reshaped),
    (class_token_map, "mean over the wrong axis", map_mean_of_columns),
    (class_token_map, "mean over the wrong axis", map_mean_of_columns_and_heads),
    (class_token_map, "mean over the wrong axis", map_mean_of_rows),
    (class_token_map, "divided by a fixed number of heads", map_over_four),
    (class_token_map, "divided by a fixed number of heads", map_of_two),
    (class_token_map, "square grid assumed", map_square),
    (class_token_map, "square grid assumed", map_square_exactly),
    (class_token_map, "scaled to its own largest value", map_brightest_is_1),
    (class_token_map, "scaled to its own largest value", map_from_0_to_1),
    (class_token_map, "mean over all rows", map_all_rows),
    (class_token_map, "mean over all rows", map_patch_rows),
    (class_token_map, "grid transposed", map_transposed_shape),
    (class_token_map, "grid transposed", map_column_by_column),
    (class_token_map, "normalised again", map_normalised),
    (rollout, "no residual connection", rollout_no_residual),
    (rollout, "product in the wrong order", rollout_wrong_order),
    (rollout, "sum instead of average", rollout_not_divided),
    (rollout, "only one layer", rollout_overwritten),
    (rollout, "only one layer", rollout_returns_early),
    (rollout, "a layer left out", rollout_starts_late),
    (rollout, "elementwise product", rollout_elementwise),
    (rollout, "layers averaged", rollout_averaged),
    (rollout, "residual connection only once", rollout_residual_at_the_end),
    (rollout, "maximum over the heads", rollout_max),
    (rollout, "one head only", rollout_first_head),
    (rollout, "one head only", rollout_last_head),
    (rollout, "heads averaged at the end", rollout_heads_last),
    (rollout, "heads still apart", rollout_each_head),
    (rollout, "heads added up", rollout_heads_added),
    (rollout, "mean over the wrong axis", rollout_over_heads),
    (rollout, "the same layer every time", rollout_of_layer_0),
    (rollout, "a layer twice", rollout_starts_with_a_layer),
    (rollout, "only the row of the class token", rollout_of_class_token),
    (rollout, "rows and columns exchanged", rollout_transposed),
    (rollout, "identity taken away at the end", rollout_less_identity),
    (rollout, "normalised down the columns", rollout_columns),
    (rollout, "keepdim forgotten", rollout_keepdim),
    (mean_attention_distance, "in patches instead of pixels", distance_in_patches),
    (mean_attention_distance, "squared distance", distance_squared),
    (mean_attention_distance, "squared distance", distance_squared_in_patches),
    (mean_attention_distance, "steps along rows and columns", distance_taxi),
    (mean_attention_distance, "not weighted", distance_unweighted),
    (mean_attention_distance, "class token not removed", distance_with_class_token),
    (mean_attention_distance, "last token dropped instead of the first", distance_without_last),
    (mean_attention_distance, "rows not normalised again", distance_not_normalised),
    (mean_attention_distance, "all rows thrown together", distance_thrown_together),
    (mean_attention_distance, "sum over the patches", distance_summed),
    (mean_attention_distance, "heads averaged", distance_one_number),
    (mean_attention_distance, "heads averaged", distance_of_mean_head),
    (mean_attention_distance, "rows and columns of the grid exchanged", distance_grid_exchanged),
    (mean_attention_distance, "no mean over the rows", distance_by_patch),
    (mean_attention_distance, "heads averaged", distance_mean_over_heads_only),
    (mean_attention_distance, "heads averaged", distance_heads_added),
    (mean_attention_distance, "numbers of the patches subtracted", distance_of_numbers),
    (mean_attention_distance, "square grid assumed", distance_square),
    (mean_attention_distance, "larger of the two steps", distance_king),
    (mean_attention_distance, "class token given a place", distance_class_everywhere),
    (mean_attention_distance, "class token given a place", distance_class_row_kept),
    (mean_attention_distance, "own patch left out", distance_to_others),
    (mean_attention_distance, "softmax in place of dividing", distance_softmax),
    (mean_attention_distance, "normalised down the columns", distance_columns),
    (mean_attention_distance, "keepdim forgotten", distance_keepdim),
    (mean_attention_distance, "mean in place of a sum", distance_meaned),
]


# Right attempts, written otherwise than the package.


def map_by_loops(weights, grid):
    h, n, _ = weights.shape
    values = [sum(weights[i, 0, j].item() for i in range(h)) / h for j in range(1, n)]
    return torch.tensor(values).view(grid)


def map_by_einsum(weights, grid):
    return torch.einsum("hm->m", weights[:, 0])[1:].unflatten(0, grid) / len(weights)


def map_by_class_index(weights, grid):
    numbers = 1 + torch.arange(grid[0] * grid[1]).view(grid)  # which token stands where
    return sum(head[0][numbers] for head in weights) / len(weights)


def rollout_recursive(weights):
    if len(weights) == 0:
        return torch.eye(weights.size(-1))
    last = weights[-1].mean(dim=0)
    before = rollout_recursive(weights[:-1])
    return 0.5 * (last @ before) + 0.5 * before


def rollout_divided_at_the_end(weights):
    out = torch.eye(weights.size(-1), dtype=torch.float64)
    for a in weights.double().mean(1):
        out = a @ out + out
    return (out / out.sum(-1, keepdim=True)).float()


def distance_with_nanmean(weights, grid, patch_size):
    patches = torch.nn.functional.normalize(weights[:, 1:, 1:], p=1, dim=-1)
    places = torch.stack(torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij"), -1)
    centres = (places.flatten(0, 1).float() + 0.5) * patch_size
    apart = (centres[:, None] - centres).square().sum(-1).sqrt()
    return (patches * apart).sum(-1).nanmean(-1)


def distance_head_by_head(weights, grid, patch_size):
    result = []
    for head in weights:
        a = head[1:, 1:] / (1 - head[1:, :1])  # what is not on the class token
        result.append((a * distance_table(grid, patch_size)).sum() / a.shape[0])
    return torch.stack(result)


def rollout_on_transposes(weights):
    eye = torch.eye(weights.size(-1))
    out = eye
    for a in reversed(weights.mean(1)):  # from the last layer to the first, growing on the right
        out = out @ (0.5 * a + 0.5 * eye)
    return out


def rollout_by_chain(weights):
    steps = [a + torch.eye(a.size(-1)) for a in weights.mean(1)]
    steps = [step / step.sum(dim=1, keepdim=True) for step in steps]
    return steps[0] if len(steps) == 1 else torch.linalg.multi_dot(steps[::-1])


def distance_by_einsum(weights, grid, patch_size):
    patches = weights[:, 1:, 1:]
    patches = patches / patches.sum(-1)[..., None]
    return torch.einsum("hij,ij->h", patches, distance_table(grid, patch_size)) / patches.shape[1]


RIGHT_ATTEMPTS: list[tuple[Exercise, Callable]] = [
    (class_token_map, map_by_loops),
    (class_token_map, map_by_einsum),
    (class_token_map, map_by_class_index),
    (rollout, rollout_recursive),
    (rollout, rollout_divided_at_the_end),
    (rollout, rollout_on_transposes),
    (rollout, rollout_by_chain),
    (mean_attention_distance, distance_by_loops),
    (mean_attention_distance, distance_by_einsum),
    (mean_attention_distance, distance_with_nanmean),
    (mean_attention_distance, distance_head_by_head),
]
