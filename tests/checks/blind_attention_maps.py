"""Attempts at lesson 07 (attention_maps), written from the tasks' texts by someone who had not seen the checks."""
# ruff: noqa  - learners' code

from course_utils.checks import attention_maps as checks


def class_token_map_wrong_01():
    """Column of the class token instead of its row."""

    def class_token_map(weights, grid):
        return weights.mean(dim=0)[1:, 0].reshape(grid)

    return class_token_map


def class_token_map_wrong_02():
    """Class token kept, last patch dropped."""

    def class_token_map(weights, grid):
        return weights.mean(dim=0)[0, :-1].reshape(grid)

    return class_token_map


def class_token_map_wrong_03():
    """[raises] class token kept."""

    def class_token_map(weights, grid):
        return weights.mean(dim=0)[0].reshape(grid)

    return class_token_map


def class_token_map_wrong_04():
    """Sum over the heads."""

    def class_token_map(weights, grid):
        return weights.sum(dim=0)[0, 1:].reshape(grid)

    return class_token_map


def class_token_map_wrong_05():
    """Largest head."""

    def class_token_map(weights, grid):
        return weights.amax(dim=0)[0, 1:].reshape(grid)

    return class_token_map


def class_token_map_wrong_06():
    """First head only."""

    def class_token_map(weights, grid):
        return weights[0, 0, 1:].reshape(grid)

    return class_token_map


def class_token_map_wrong_07():
    """Mean over the rows instead of the heads."""

    def class_token_map(weights, grid):
        return weights.mean(dim=1)[0, 1:].reshape(grid)

    return class_token_map


def class_token_map_wrong_08():
    """Made to sum to 1."""

    def class_token_map(weights, grid):
        row = weights.mean(dim=0)[0, 1:]
        return (row / row.sum()).reshape(grid)

    return class_token_map


def class_token_map_wrong_09():
    """Made to reach from 0 to 1."""

    def class_token_map(weights, grid):
        row = weights.mean(dim=0)[0, 1:]
        return ((row - row.min()) / (row.max() - row.min() + 1e-9)).reshape(grid)

    return class_token_map


def class_token_map_wrong_10():
    """Divided by the uniform weight."""

    def class_token_map(weights, grid):
        return (weights.mean(dim=0)[0, 1:] * weights.shape[-1]).reshape(grid)

    return class_token_map


def class_token_map_wrong_11():
    """Softmax once more."""

    def class_token_map(weights, grid):
        return weights.mean(dim=0)[0, 1:].softmax(dim=0).reshape(grid)

    return class_token_map


def class_token_map_wrong_12():
    """[corner] grid turned: (columns, rows)."""

    def class_token_map(weights, grid):
        return weights.mean(dim=0)[0, 1:].reshape(grid[1], grid[0])

    return class_token_map


def class_token_map_wrong_13():
    """Filled column by column."""

    def class_token_map(weights, grid):
        return weights.mean(dim=0)[0, 1:].reshape(grid[1], grid[0]).T

    return class_token_map


def class_token_map_wrong_14():
    """[corner] [raises] square grid from the root."""

    def class_token_map(weights, grid):
        row = weights.mean(dim=0)[0, 1:]
        side = int(len(row) ** 0.5)
        return row.reshape(side, side)

    return class_token_map


def class_token_map_wrong_15():
    """Not brought into the form of the grid."""

    def class_token_map(weights, grid):
        return weights.mean(dim=0)[0, 1:]

    return class_token_map


def class_token_map_wrong_16():
    """One map for each head."""

    def class_token_map(weights, grid):
        return weights[:, 0, 1:].reshape(-1, *grid)

    return class_token_map


def class_token_map_wrong_17():
    """Last row: the last patch."""

    def class_token_map(weights, grid):
        return weights.mean(dim=0)[-1, 1:].reshape(grid)

    return class_token_map


def class_token_map_wrong_18():
    """Row 1: the first patch."""

    def class_token_map(weights, grid):
        return weights.mean(dim=0)[1, 1:].reshape(grid)

    return class_token_map


def class_token_map_wrong_19():
    """What all tokens take from each patch, as a mean."""

    def class_token_map(weights, grid):
        return weights.mean(dim=(0, 1))[1:].reshape(grid)

    return class_token_map


def class_token_map_wrong_20():
    """Median of the heads."""

    def class_token_map(weights, grid):
        return weights.quantile(0.5, dim=0)[0, 1:].reshape(grid)

    return class_token_map


def class_token_map_wrong_21():
    """Nested lists."""

    def class_token_map(weights, grid):
        return weights.mean(dim=0)[0, 1:].reshape(grid).tolist()

    return class_token_map


def class_token_map_wrong_22():
    """[mutates] drops the class token by setting it to 0."""

    def class_token_map(weights, grid):
        weights[:, :, 0] = 0
        return weights.mean(dim=0)[0, 1:].reshape(grid)

    return class_token_map


def class_token_map_wrong_23():
    """Keeps a leading axis: (1, rows, columns)."""

    def class_token_map(weights, grid):
        return weights.mean(dim=0, keepdim=True)[:, 0, 1:].reshape(1, *grid)

    return class_token_map


def class_token_map_wrong_24():
    """[corner] 8 by 8 hard-coded [raises]."""

    def class_token_map(weights, grid):
        return weights.mean(dim=0)[0, 1:].reshape(8, 8)

    return class_token_map


def class_token_map_right_01():
    """The row first, then the mean."""
    import torch

    def class_token_map(weights: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        return weights[:, 0, 1:].mean(0).view(*grid)

    return class_token_map


def class_token_map_right_02():
    """Einsum with equal shares."""
    import torch

    def class_token_map(weights, grid):
        h = weights.shape[0]
        shares = torch.full((h,), 1 / h, dtype=weights.dtype)
        return torch.einsum("h,hn->n", shares, weights[:, 0])[1:].unflatten(0, grid)

    return class_token_map


def class_token_map_right_03():
    """Two loops."""
    import torch

    def class_token_map(weights, grid):
        rows, columns = grid
        out = torch.empty(rows, columns, dtype=weights.dtype)
        for r in range(rows):
            for c in range(columns):
                out[r, c] = weights[:, 0, 1 + r * columns + c].mean()
        return out

    return class_token_map


def class_token_map_right_04():
    """Numpy inside."""
    import numpy as np
    import torch

    def class_token_map(weights, grid):
        a = np.mean(weights.detach().numpy(), axis=0)
        return torch.from_numpy(a[0][1:].reshape(grid).copy())

    return class_token_map


def class_token_map_right_05():
    """Split off and chunked."""
    import torch

    def class_token_map(weights, grid):
        _, patches = (sum(weights) / len(weights))[0].split([1, grid[0] * grid[1]])
        return torch.stack(patches.chunk(grid[0]))

    return class_token_map


def class_token_map_right_06():
    """Maps of the heads, then their mean."""

    def class_token_map(weights, grid):
        maps = weights.select(1, 0).narrow(1, 1, weights.shape[2] - 1).reshape(len(weights), grid[0], grid[1])
        return maps.mean(dim=0)

    return class_token_map


def class_token_map_right_07():
    """Lambda, one-hot from the left."""
    import torch

    class_token_map = lambda weights, grid: (torch.eye(weights.shape[-1], dtype=weights.dtype)[0] @ weights.mean(0))[
        1:
    ].reshape(tuple(grid))

    return class_token_map


def mean_attention_distance_wrong_01():
    """Distances in patches, not in pixels."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float()
        distances = torch.cdist(places, places)
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * distances).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_02():
    """Rows not made to sum to 1 again."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        return (weights[:, 1:, 1:] * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_03():
    """Softmax to make the rows sum to 1."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        return (weights[:, 1:, 1:].softmax(dim=-1) * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_04():
    """Columns made to sum to 1."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-2, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_05():
    """The whole head made to sum to 1."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, 1:, 1:]
        total = (patches * torch.cdist(places, places)).sum(dim=(1, 2))
        return total / patches.sum(dim=(1, 2))

    return mean_attention_distance


def mean_attention_distance_wrong_06():
    """Last patch dropped instead of the class token."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, :-1, :-1]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_07():
    """Class token treated as a patch at distance 0."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        distances = torch.zeros(weights.shape[-1], weights.shape[-1])
        distances[1:, 1:] = torch.cdist(places, places)
        return (weights * distances).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_08():
    """Normalised rightly, but divided by N = patches + 1."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=(-1, -2)) / weights.shape[-1]

    return mean_attention_distance


def mean_attention_distance_wrong_09():
    """City-block distances."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        distances = torch.cdist(places, places, p=1)
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * distances).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_10():
    """Root forgotten."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        distances = (places[:, None] - places).square().sum(-1)
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * distances).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_11():
    """P multiplied inside the root, once."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float()
        distances = ((places[:, None] - places).square().sum(-1) * patch_size).sqrt()
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * distances).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_12():
    """Distance of the numbers of the patches."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        n = torch.arange(grid[0] * grid[1])
        distances = (n[:, None] - n).abs() * patch_size
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * distances).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_13():
    """[corner] rows and columns exchanged."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[1]), torch.arange(grid[0])).float() * patch_size
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_14():
    """[corner] [raises] square grids only."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        n = torch.arange(grid[0])
        places = torch.cartesian_prod(n, n).float() * patch_size
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_15():
    """Sum over the rows, not the mean."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=(-1, -2))

    return mean_attention_distance


def mean_attention_distance_wrong_16():
    """Plain mean over all pairs."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).mean(dim=(-1, -2))

    return mean_attention_distance


def mean_attention_distance_wrong_17():
    """Mean over the heads: one number."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=-1).mean()

    return mean_attention_distance


def mean_attention_distance_wrong_18():
    """One number for each row: (h, patches)."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_19():
    """Mean over the heads for each row: axis 0 instead of -1."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=-1).mean(dim=0)

    return mean_attention_distance


def mean_attention_distance_wrong_20():
    """Only the row of patch 0."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, 1, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)[0]).sum(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_21():
    """Heads fused first."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights.mean(dim=0, keepdim=True)[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1).expand(len(weights))

    return mean_attention_distance


def mean_attention_distance_wrong_22():
    """Distance to the most looked-at patch."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        distances = torch.cdist(places, places)
        best = weights[:, 1:, 1:].argmax(dim=-1)
        return torch.stack([distances[torch.arange(len(b)), b].mean() for b in best])

    return mean_attention_distance


def mean_attention_distance_wrong_23():
    """Self left out: rows sum to 1 over the others."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, 1:, 1:] * (1 - torch.eye(len(places)))
        patches = patches / patches.sum(dim=-1, keepdim=True).clamp(min=1e-9)
        return (patches * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_24():
    """[mutates] divides the weights in place."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, 1:, 1:]
        patches /= patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_25():
    """Gaps between the edges: (distance - P)."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        distances = (torch.cdist(places, places) - patch_size).clamp(min=0)
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * distances).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_wrong_26():
    """A list of numbers."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float() * patch_size
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1).tolist()

    return mean_attention_distance


def mean_attention_distance_wrong_27():
    """[raises] cdist of whole numbers."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])) * patch_size
        patches = weights[:, 1:, 1:]
        patches = patches / patches.sum(dim=-1, keepdim=True)
        return (patches * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1)

    return mean_attention_distance


def mean_attention_distance_right_01():
    """Einsum, centres of the patches."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        y, x = torch.meshgrid(torch.arange(grid[0]) + 0.5, torch.arange(grid[1]) + 0.5, indexing="ij")
        y, x = y.flatten() * patch_size, x.flatten() * patch_size
        distances = torch.hypot(y[:, None] - y, x[:, None] - x)
        a = weights[:, 1:, 1:]
        a = a / a.sum(-1, keepdim=True)
        return torch.einsum("hij,ij->h", a, distances) / len(y)

    return mean_attention_distance


def mean_attention_distance_right_02():
    """Loops with math.dist."""
    import math
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        rows, columns = grid
        n = rows * columns
        result = []
        for head in weights:
            total = 0.0
            for i in range(n):
                row = head[i + 1, 1:]
                row = row / row.sum()
                for j in range(n):
                    total = total + row[j] * patch_size * math.dist(divmod(i, columns), divmod(j, columns))
            result.append(total / n)
        return torch.stack(result)

    return mean_attention_distance


def mean_attention_distance_right_03():
    """Complex numbers as places."""
    import torch

    def mean_attention_distance(weights: torch.Tensor, grid: tuple[int, int], patch_size: int) -> torch.Tensor:
        place = (torch.arange(grid[0])[:, None] + 1j * torch.arange(grid[1])).flatten() * patch_size
        distances = (place[:, None] - place).abs()
        patches = weights[:, 1:, 1:]
        return ((patches * distances).sum(-1) / patches.sum(-1)).mean(-1)

    return mean_attention_distance


def mean_attention_distance_right_04():
    """1 minus the class token's share as the divisor: rows sum to 1."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        places = torch.cartesian_prod(*(patch_size * torch.arange(float(n)) for n in grid))
        distances = torch.linalg.vector_norm(places[:, None] - places[None], dim=-1)
        given = weights[:, 1:, 1:].mul(distances).sum(dim=2)
        return (given / (1 - weights[:, 1:, 0])).mean(dim=1)

    return mean_attention_distance


def mean_attention_distance_right_05():
    """Numpy in float64, cast back."""
    import numpy as np
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        a = weights.detach().numpy().astype(np.float64)[:, 1:, 1:]
        r, c = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
        distances = patch_size * np.sqrt((r[:, None] - r) ** 2 + (c[:, None] - c) ** 2)
        return torch.from_numpy(np.average(np.broadcast_to(distances, a.shape), axis=2, weights=a).mean(axis=1)).float()

    return mean_attention_distance


def mean_attention_distance_right_06():
    """Diagonal of a matrix product, head by head."""
    import torch

    def mean_attention_distance(weights, grid, patch_size):
        n = torch.arange(grid[0] * grid[1])
        places = torch.stack([n // grid[1], n % grid[1]], dim=1) * float(patch_size)
        distances = (places.unsqueeze(0) - places.unsqueeze(1)).pow(2).sum(2).sqrt()
        out = torch.zeros(weights.shape[0])
        for h, head in enumerate(weights):
            part = head[1:, 1:]
            part = torch.nn.functional.normalize(part, p=1, dim=1)
            out[h] = (part @ distances.T).diagonal().mean()
        return out

    return mean_attention_distance


def rollout_wrong_01():
    """First layer on the left."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=1):
            result = result @ ((layer + identity) / 2)
        return result

    return rollout


def rollout_wrong_02():
    """No identity."""
    import torch

    def rollout(weights):
        result = torch.eye(weights.shape[-1])
        for layer in weights.mean(dim=1):
            result = layer @ result
        return result

    return rollout


def rollout_wrong_03():
    """Half forgotten: rows grow."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=1):
            result = (layer + identity) @ result
        return result

    return rollout


def rollout_wrong_04():
    """Half of the sum with the identity at the end only."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=1):
            result = layer @ result
        return (result + identity) / 2

    return rollout


def rollout_wrong_05():
    """Precedence: identity / 2 only."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=1):
            result = (layer + identity / 2) @ result
        return result

    return rollout


def rollout_wrong_06():
    """Precedence: the product before the sum."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=1):
            result = layer + identity / 2 @ result
        return result

    return rollout


def rollout_wrong_07():
    """Ones instead of the identity."""
    import torch

    def rollout(weights):
        ones = torch.ones(weights.shape[-1], weights.shape[-1])
        result = torch.eye(weights.shape[-1])
        for layer in weights.mean(dim=1):
            result = (layer + ones) / 2 @ result
        return result

    return rollout


def rollout_wrong_08():
    """Number by number instead of a matrix product."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = torch.ones_like(identity)
        for layer in weights.mean(dim=1):
            result = (layer + identity) / 2 * result
        return result

    return rollout


def rollout_wrong_09():
    """Mean over the layers instead of the heads."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=0):
            result = (layer + identity) / 2 @ result
        return result

    return rollout


def rollout_wrong_10():
    """Largest head."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.amax(dim=1):
            mixed = layer + identity
            result = mixed / mixed.sum(dim=-1, keepdim=True) @ result
        return result

    return rollout


def rollout_wrong_11():
    """First head only."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights[:, 0]:
            result = (layer + identity) / 2 @ result
        return result

    return rollout


def rollout_wrong_12():
    """[corner] heads rolled out one by one, then the mean."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity.expand(weights.shape[1], -1, -1)
        for layer in weights:
            result = (layer + identity) / 2 @ result
        return result.mean(dim=0)

    return rollout


def rollout_wrong_13():
    """Last layer left out."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=1)[:-1]:
            result = (layer + identity) / 2 @ result
        return result

    return rollout


def rollout_wrong_14():
    """First layer left out."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=1)[1:]:
            result = (layer + identity) / 2 @ result
        return result

    return rollout


def rollout_wrong_15():
    """Starts from the first layer as it is, then goes on with the others."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        fused = weights.mean(dim=1)
        result = fused[0]
        for layer in fused[1:]:
            result = (layer + identity) / 2 @ result
        return result

    return rollout


def rollout_wrong_16():
    """First layer counted twice."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        fused = weights.mean(dim=1)
        result = (fused[0] + identity) / 2
        for layer in fused:
            result = (layer + identity) / 2 @ result
        return result

    return rollout


def rollout_wrong_17():
    """Result overwritten: only the last layer."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        for layer in weights.mean(dim=1):
            result = (layer + identity) / 2
        return result

    return rollout


def rollout_wrong_18():
    """[corner] two layers hard-coded."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        a = (weights.mean(dim=1) + identity) / 2
        return a[1] @ a[0] if len(a) > 1 else a[0]

    return rollout


def rollout_wrong_19():
    """Layers averaged, then a power."""
    import torch

    def rollout(weights):
        a = (weights.mean(dim=(0, 1)) + torch.eye(weights.shape[-1])) / 2
        return torch.linalg.matrix_power(a, len(weights))

    return rollout


def rollout_wrong_20():
    """Transposed layers."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=1):
            result = (layer.T + identity) / 2 @ result
        return result

    return rollout


def rollout_wrong_21():
    """Row of the class token only."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=1):
            result = (layer + identity) / 2 @ result
        return result[0]

    return rollout


def rollout_wrong_22():
    """Columns made to sum to 1."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=1):
            mixed = layer + identity
            result = mixed / mixed.sum(dim=0, keepdim=True) @ result
        return result

    return rollout


def rollout_wrong_23():
    """All layers so far: (L, N, N)."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        results = [identity]
        for layer in weights.mean(dim=1):
            results.append((layer + identity) / 2 @ results[-1])
        return torch.stack(results[1:])

    return rollout


def rollout_wrong_24():
    """[mutates] mixes the identity in place."""
    import torch

    def rollout(weights):
        weights += torch.eye(weights.shape[-1])
        weights /= 2
        result = torch.eye(weights.shape[-1])
        for layer in weights.mean(dim=1):
            result = layer @ result
        return result

    return rollout


def rollout_wrong_25():
    """Smallest weights set to 0 first, as the copied script."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=1):
            kept = torch.where(layer < layer.median(), torch.zeros(()), layer)
            mixed = kept + identity
            result = mixed / mixed.sum(dim=-1, keepdim=True) @ result
        return result

    return rollout


def rollout_wrong_26():
    """Sum over the heads."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.sum(dim=1):
            result = (layer + identity) / 2 @ result
        return result

    return rollout


def rollout_right_01():
    """Reduce."""
    import functools
    import torch

    def rollout(weights: torch.Tensor) -> torch.Tensor:
        mixed = (weights.mean(1) + torch.eye(weights.size(-1))) / 2
        return functools.reduce(lambda earlier, later: later @ earlier, mixed)

    return rollout


def rollout_right_02():
    """From the last layer to the first, on the other side."""
    import torch

    def rollout(weights):
        identity = torch.eye(weights.shape[-1])
        result = identity
        for layer in weights.mean(dim=1).flip(0):
            result = result @ (0.5 * layer + 0.5 * identity)
        return result

    return rollout


def rollout_right_03():
    """Made to sum to 1 by division."""
    import torch

    def rollout(weights):
        fused = weights.mean(dim=1) + torch.eye(weights.shape[-1])
        fused = fused / fused.sum(dim=-1, keepdim=True)
        result = fused[0]
        for i in range(1, len(fused)):
            result = torch.matmul(fused[i], result)
        return result

    return rollout


def rollout_right_04():
    """Without an identity matrix: half of the result, half of its mixture."""
    import torch

    def rollout(weights):
        result = None
        for layer in weights.mean(dim=1):
            if result is None:
                result = layer / 2
                result.diagonal().add_(0.5)
            else:
                result = torch.lerp(result, layer @ result, 0.5)
        return result

    return rollout


def rollout_right_05():
    """Recursion."""
    import torch

    def rollout(weights):
        *earlier, last = weights.mean(dim=1, keepdim=True)
        mixed = (last[0] + torch.eye(last.shape[-1])) / 2
        return mixed @ rollout(torch.stack(earlier)) if earlier else mixed

    return rollout


def rollout_right_06():
    """Numpy in float64."""
    import numpy as np
    import torch

    def rollout(weights):
        a = weights.detach().numpy().astype(np.float64).mean(axis=1)
        a = (a + np.eye(a.shape[-1])) / 2
        result = np.linalg.multi_dot(list(a[::-1])) if len(a) > 1 else a[0]
        return torch.from_numpy(np.ascontiguousarray(result)).to(weights.dtype)

    return rollout


def rollout_right_07():
    """Transposed all the way."""
    import torch

    def rollout(weights):
        result = torch.eye(weights.shape[-1], dtype=weights.dtype)
        for layer in weights.mean(dim=1).mT:
            result = torch.einsum("ij,jk->ik", result, (layer + torch.eye(len(layer))) / 2)
        return result.mT

    return rollout


def rollout_right_08():
    """A whole column of unit vectors pushed through, one by one."""
    import torch

    def rollout(weights):
        n = weights.shape[-1]
        columns = []
        for unit in torch.eye(n):
            vector = unit
            for layer in weights.mean(dim=1):
                vector = (layer @ vector + vector) / 2
            columns.append(vector)
        return torch.stack(columns, dim=1)

    return rollout


# exercise, what the check says (None: wrong, without a name), attempt
ATTEMPTS = [
    (checks.class_token_map, "column instead of row", class_token_map_wrong_01),
    (checks.class_token_map, "last token dropped instead of the first", class_token_map_wrong_02),
    (checks.class_token_map, "class token not removed", class_token_map_wrong_03),
    (checks.class_token_map, "sum over the heads", class_token_map_wrong_04),
    (checks.class_token_map, "maximum over the heads", class_token_map_wrong_05),
    (checks.class_token_map, "one head only", class_token_map_wrong_06),
    (checks.class_token_map, "mean over the wrong axis", class_token_map_wrong_07),
    (checks.class_token_map, "normalised again", class_token_map_wrong_08),
    (checks.class_token_map, "scaled to its own largest value", class_token_map_wrong_09),
    (checks.class_token_map, "normalised again", class_token_map_wrong_10),
    (checks.class_token_map, "a softmax too many", class_token_map_wrong_11),
    (checks.class_token_map, "grid transposed", class_token_map_wrong_12),
    (checks.class_token_map, "grid transposed", class_token_map_wrong_13),
    (checks.class_token_map, "square grid assumed", class_token_map_wrong_14),
    (checks.class_token_map, "flattened", class_token_map_wrong_15),
    (checks.class_token_map, "heads still apart", class_token_map_wrong_16),
    (checks.class_token_map, "row of a patch instead of the class token", class_token_map_wrong_17),
    (checks.class_token_map, "row of a patch instead of the class token", class_token_map_wrong_18),
    (checks.class_token_map, "mean over all rows", class_token_map_wrong_19),
    (checks.class_token_map, "the median of the heads", class_token_map_wrong_20),
    (checks.class_token_map, "a list in place of a tensor", class_token_map_wrong_21),
    (checks.class_token_map, "changes its input", class_token_map_wrong_22),
    (checks.class_token_map, "an axis of length 1 too many", class_token_map_wrong_23),
    (checks.class_token_map, "a reshape that does not fit", class_token_map_wrong_24),
    (checks.class_token_map, "correct", class_token_map_right_01),
    (checks.class_token_map, "correct", class_token_map_right_02),
    (checks.class_token_map, "correct", class_token_map_right_03),
    (checks.class_token_map, "correct", class_token_map_right_04),
    (checks.class_token_map, "correct", class_token_map_right_05),
    (checks.class_token_map, "correct", class_token_map_right_06),
    (checks.class_token_map, "correct", class_token_map_right_07),
    (checks.mean_attention_distance, "in patches instead of pixels", mean_attention_distance_wrong_01),
    (checks.mean_attention_distance, "rows not normalised again", mean_attention_distance_wrong_02),
    (checks.mean_attention_distance, "softmax in place of dividing", mean_attention_distance_wrong_03),
    (checks.mean_attention_distance, "normalised down the columns", mean_attention_distance_wrong_04),
    (checks.mean_attention_distance, "all rows thrown together", mean_attention_distance_wrong_05),
    (checks.mean_attention_distance, "last token dropped instead of the first", mean_attention_distance_wrong_06),
    (checks.mean_attention_distance, "class token given a place", mean_attention_distance_wrong_07),
    (checks.mean_attention_distance, "class token given a place", mean_attention_distance_wrong_08),
    (checks.mean_attention_distance, "steps along rows and columns", mean_attention_distance_wrong_09),
    (checks.mean_attention_distance, "squared distance", mean_attention_distance_wrong_10),
    (checks.mean_attention_distance, "squared distance", mean_attention_distance_wrong_11),
    (checks.mean_attention_distance, "numbers of the patches subtracted", mean_attention_distance_wrong_12),
    (checks.mean_attention_distance, "rows and columns of the grid exchanged", mean_attention_distance_wrong_13),
    (checks.mean_attention_distance, "square grid assumed", mean_attention_distance_wrong_14),
    (checks.mean_attention_distance, "sum over the patches", mean_attention_distance_wrong_15),
    (checks.mean_attention_distance, "mean in place of a sum", mean_attention_distance_wrong_16),
    (checks.mean_attention_distance, "heads averaged", mean_attention_distance_wrong_17),
    (checks.mean_attention_distance, "no mean over the rows", mean_attention_distance_wrong_18),
    (checks.mean_attention_distance, "heads averaged", mean_attention_distance_wrong_19),
    (checks.mean_attention_distance, "one row only", mean_attention_distance_wrong_20),
    (checks.mean_attention_distance, "heads averaged", mean_attention_distance_wrong_21),
    (checks.mean_attention_distance, "the largest weight alone", mean_attention_distance_wrong_22),
    (checks.mean_attention_distance, "own patch left out", mean_attention_distance_wrong_23),
    (checks.mean_attention_distance, "changes its input", mean_attention_distance_wrong_24),
    (checks.mean_attention_distance, "from edge to edge", mean_attention_distance_wrong_25),
    (checks.mean_attention_distance, "a list in place of a tensor", mean_attention_distance_wrong_26),
    (checks.mean_attention_distance, "whole numbers where floats are needed", mean_attention_distance_wrong_27),
    (checks.mean_attention_distance, "correct", mean_attention_distance_right_01),
    (checks.mean_attention_distance, "correct", mean_attention_distance_right_02),
    (checks.mean_attention_distance, "correct", mean_attention_distance_right_03),
    (checks.mean_attention_distance, "correct", mean_attention_distance_right_04),
    (checks.mean_attention_distance, "correct", mean_attention_distance_right_05),
    (checks.mean_attention_distance, "correct", mean_attention_distance_right_06),
    (checks.rollout, "product in the wrong order", rollout_wrong_01),
    (checks.rollout, "no residual connection", rollout_wrong_02),
    (checks.rollout, "sum instead of average", rollout_wrong_03),
    (checks.rollout, "residual connection only once", rollout_wrong_04),
    (checks.rollout, "sum instead of average", rollout_wrong_05),
    (checks.rollout, "the product before the sum", rollout_wrong_06),
    (checks.rollout, "ones in place of the identity", rollout_wrong_07),
    (checks.rollout, "elementwise product", rollout_wrong_08),
    (checks.rollout, "mean over the wrong axis", rollout_wrong_09),
    (checks.rollout, "maximum over the heads", rollout_wrong_10),
    (checks.rollout, "one head only", rollout_wrong_11),
    (checks.rollout, "heads averaged at the end", rollout_wrong_12),
    (checks.rollout, "a layer left out", rollout_wrong_13),
    (checks.rollout, "a layer left out", rollout_wrong_14),
    (checks.rollout, "the first layer without the identity", rollout_wrong_15),
    (checks.rollout, "a layer twice", rollout_wrong_16),
    (checks.rollout, "only one layer", rollout_wrong_17),
    (checks.rollout, "two layers written in", rollout_wrong_18),
    (checks.rollout, "layers averaged", rollout_wrong_19),
    (checks.rollout, "rows and columns exchanged", rollout_wrong_20),
    (checks.rollout, "only the row of the class token", rollout_wrong_21),
    (checks.rollout, "normalised down the columns", rollout_wrong_22),
    (checks.rollout, "every step is kept", rollout_wrong_23),
    (checks.rollout, "changes its input", rollout_wrong_24),
    (checks.rollout, None, rollout_wrong_25),
    (checks.rollout, "heads added up", rollout_wrong_26),
    (checks.rollout, "correct", rollout_right_01),
    (checks.rollout, "correct", rollout_right_02),
    (checks.rollout, "correct", rollout_right_03),
    (checks.rollout, "correct", rollout_right_04),
    (checks.rollout, "correct", rollout_right_05),
    (checks.rollout, "correct", rollout_right_06),
    (checks.rollout, "correct", rollout_right_07),
    (checks.rollout, "correct", rollout_right_08),
]
