"""Attempts at lesson 01 (patches), written from the tasks' texts by someone who had not seen the checks."""
# ruff: noqa  - learners' code

from course_utils.checks import patches as checks


def patchify_wrong_01():
    """A bare reshape."""
    from torch import Tensor, nn

    def patchify(images: Tensor, patch_size: int) -> Tensor:
        b, c, h, w = images.shape
        return images.reshape(b, (h // patch_size) * (w // patch_size), c * patch_size**2)

    return patchify


def patchify_wrong_02():
    """Channel last."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        x = images.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 3, 5, 1)
        return x.reshape(b, -1, c * p * p)

    return patchify


def patchify_wrong_03():
    """Patches column by column."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        x = images.reshape(b, c, h // p, p, w // p, p).permute(0, 4, 2, 1, 3, 5)
        return x.reshape(b, -1, c * p * p)

    return patchify


def patchify_wrong_04():
    """Pixels in a patch transposed."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        x = images.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 5, 3)
        return x.reshape(b, -1, c * p * p)

    return patchify


def patchify_wrong_05():
    """[corner] [raises] square images only."""

    def patchify(images, patch_size):
        b, c, h, _ = images.shape
        n = h // patch_size
        x = images.reshape(b, c, n, patch_size, n, patch_size).permute(0, 2, 4, 1, 3, 5)
        return x.reshape(b, n * n, c * patch_size**2)

    return patchify


def patchify_wrong_06():
    """[corner] rows and columns of the grid exchanged in the split: right for squares."""

    def patchify(images, patch_size):
        b, c, width, height = images.shape
        rows, columns = height // patch_size, width // patch_size
        x = images.reshape(b, c, rows, patch_size, columns, patch_size).permute(0, 2, 4, 1, 3, 5)
        return x.reshape(b, rows * columns, -1)

    return patchify


def patchify_wrong_07():
    """Split with P and rows exchanged."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        x = images.reshape(b, c, p, h // p, p, w // p).permute(0, 2, 4, 1, 3, 5)
        return x.reshape(b, (h // p) * (w // p), c * p * p)

    return patchify


def patchify_wrong_08():
    """[raises] view after permute."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        x = images.view(b, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5)
        return x.view(b, -1, c * p * p)

    return patchify


def patchify_wrong_09():
    """[corner] [raises] three channels hard-coded."""

    def patchify(images, patch_size):
        b, _, h, w = images.shape
        p = patch_size
        x = images.reshape(b, 3, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5)
        return x.reshape(b, -1, 3 * p * p)

    return patchify


def patchify_wrong_10():
    """The grid is not joined: (B, rows, columns, C*P*P)."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        x = images.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5)
        return x.flatten(3)

    return patchify


def patchify_wrong_11():
    """A patch is not joined: (B, N, C, P, P)."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        x = images.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5)
        return x.flatten(1, 2)

    return patchify


def patchify_wrong_12():
    """Batch lost: images joined along N."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        x = images.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5)
        return x.reshape(-1, c * p * p)

    return patchify


def patchify_wrong_13():
    """[corner] only the first image."""

    def patchify(images, patch_size):
        c, h, w = images[0].shape
        p = patch_size
        x = images[0].reshape(c, h // p, p, w // p, p).permute(1, 3, 0, 2, 4)
        return x.reshape(1, -1, c * p * p)

    return patchify


def patchify_wrong_14():
    """Channels as patches: (B, C*N, P*P) cut to the asked shape."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        x = images.reshape(b, c, h // p, p, w // p, p).permute(0, 1, 2, 4, 3, 5)
        return x.reshape(b, (h // p) * (w // p), c * p * p)

    return patchify


def patchify_wrong_15():
    """[rule] right numbers with two loops."""
    import torch

    def patchify(images, patch_size):
        found = []
        for top in range(0, images.shape[2], patch_size):
            for left in range(0, images.shape[3], patch_size):
                found.append(images[:, :, top : top + patch_size, left : left + patch_size].flatten(1))
        return torch.stack(found, dim=1)

    return patchify


def patchify_wrong_16():
    """[rule] the loop hidden in a list comprehension."""
    import torch

    def patchify(images, patch_size):
        p = patch_size
        cut = [
            images[:, :, i : i + p, j : j + p].flatten(1)
            for i in range(0, images.shape[2], p)
            for j in range(0, images.shape[3], p)
        ]
        return torch.stack(cut, dim=1)

    return patchify


def patchify_wrong_17():
    """[rule] a while loop over the patches."""
    import torch

    def patchify(images, patch_size):
        p, columns = patch_size, images.shape[3] // patch_size
        n, found = 0, []
        while n < columns * (images.shape[2] // p):
            r, c = divmod(n, columns)
            found += [images[:, :, r * p : r * p + p, c * p : c * p + p].flatten(1)]
            n += 1
        return torch.stack(found, 1)

    return patchify


def patchify_wrong_18():
    """Patch size 4 hard-coded."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        x = images.reshape(b, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 1, 3, 5)
        return x.reshape(b, -1, c * 16)

    return patchify


def patchify_wrong_19():
    """Returns (B, C*P*P, N), as F.unfold gives it."""
    import torch.nn.functional as F

    def patchify(images, patch_size):
        return F.unfold(images.double(), patch_size, stride=patch_size).to(images.dtype)

    return patchify


def patchify_wrong_20():
    """Overlapping patches: forgot the stride."""
    import torch.nn.functional as F

    def patchify(images, patch_size):
        return F.unfold(images.double(), patch_size).transpose(1, 2).to(images.dtype)

    return patchify


def patchify_wrong_21():
    """Prints the shape and returns nothing."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        x = images.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5).reshape(b, -1, c * p * p)
        print(x.shape)

    return patchify


def patchify_wrong_22():
    """Subtracts the smallest pixel in place."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        images -= images.min()
        x = images.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5)
        return x.reshape(b, -1, c * p * p)

    return patchify


def patchify_right_01():
    """One line, names given by keyword."""
    from torch import Tensor, nn

    def patchify(images: Tensor, patch_size: int) -> Tensor:
        p = patch_size
        return images.unflatten(3, (-1, p)).unflatten(2, (-1, p)).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)

    return patchify


def patchify_right_02():
    """Einsum as a permutation."""
    import torch

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        six = images.reshape(b, c, h // p, p, w // p, p)
        return torch.einsum("bcrpsq->brscpq", six).reshape(b, (h // p) * (w // p), c * p * p)

    return patchify


def patchify_right_03():
    """Tensor.unfold along both axes."""

    def patchify(images, patch_size):
        p = patch_size
        windows = images.unfold(2, p, p).unfold(3, p, p)  # (B, C, rows, columns, P, P)
        return windows.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)

    return patchify


def patchify_right_04():
    """Pixel_unshuffle (no loop; not the three steps by name)."""
    import torch.nn.functional as F

    def patchify(images, patch_size):
        return F.pixel_unshuffle(images, patch_size).flatten(2).transpose(1, 2)

    return patchify


def patchify_right_05():
    """Split and stack, the word 'for' in a comment only."""
    import torch

    def patchify(images, patch_size):
        # for each axis once; while there is no loop in it
        x = torch.stack(images.split(patch_size, dim=2), dim=2)  # (B, C, rows, P, W)
        x = torch.stack(x.split(patch_size, dim=4), dim=4)  # (B, C, rows, P, columns, P)
        return x.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)

    return patchify


def patchify_right_06():
    """Numpy inside."""
    import numpy as np
    import torch

    def patchify(images, patch_size):
        p = patch_size
        b, c, h, w = images.shape
        x = images.detach().numpy().reshape(b, c, h // p, p, w // p, p).transpose(0, 2, 4, 1, 3, 5)
        return torch.from_numpy(np.ascontiguousarray(x.reshape(b, -1, c * p * p)))

    return patchify


def patchify_right_07():
    """Exchanges of two axes at a time."""

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        x = images.reshape(b, c, h // p, p, w // p, p)
        x = x.transpose(1, 2)  # (B, rows, C, P, columns, P)
        x = x.transpose(2, 4)  # (B, rows, columns, P, C, P)
        x = x.transpose(3, 4)  # (B, rows, columns, C, P, P)
        return x.reshape(b, -1, c * p * p)

    return patchify


def patchify_right_08():
    """Gather with an index table."""
    import torch

    def patchify(images, patch_size):
        b, c, h, w = images.shape
        p = patch_size
        numbers = torch.arange(c * h * w).reshape(c, h // p, p, w // p, p)
        table = numbers.permute(1, 3, 0, 2, 4).reshape(-1, c * p * p)
        return images.flatten(1)[:, table]

    return patchify


def patchify_right_09():
    """A class with a static method."""
    import torch

    class Cutter:
        @staticmethod
        def cut(images, patch_size):
            b, c, h, w = images.shape
            rows, columns = h // patch_size, w // patch_size
            x = torch.reshape(images, (b, c, rows, patch_size, columns, patch_size))
            x = torch.movedim(x, (2, 4), (1, 2))
            return x.reshape(b, rows * columns, c * patch_size * patch_size)

    patchify = Cutter.cut

    return patchify


def unpatchify_wrong_01():
    """A bare reshape."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        return patches.reshape(b, d // patch_size**2, *image_size)

    return unpatchify


def unpatchify_wrong_02():
    """The permutation of patchify once more."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        h, w = image_size
        p, c = patch_size, d // patch_size**2
        x = patches.reshape(b, h // p, w // p, c, p, p).permute(0, 2, 4, 1, 3, 5)
        return x.reshape(b, c, h, w)

    return unpatchify


def unpatchify_wrong_03():
    """[corner] square grid from the root of N."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        side = int(n**0.5)
        p, c = patch_size, d // patch_size**2
        x = patches.reshape(b, side, side, c, p, p).permute(0, 3, 1, 4, 2, 5)
        return x.reshape(b, c, side * p, side * p)

    return unpatchify


def unpatchify_wrong_04():
    """[corner] image_size read as (W, H)."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        w, h = image_size
        p, c = patch_size, d // patch_size**2
        x = patches.reshape(b, h // p, w // p, c, p, p).permute(0, 3, 1, 4, 2, 5)
        return x.reshape(b, c, h, w)

    return unpatchify


def unpatchify_wrong_05():
    """Patches column by column."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        h, w = image_size
        p, c = patch_size, d // patch_size**2
        x = patches.reshape(b, w // p, h // p, c, p, p).permute(0, 3, 2, 4, 1, 5)
        return x.reshape(b, c, h, w)

    return unpatchify


def unpatchify_wrong_06():
    """Inside of each patch transposed."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        h, w = image_size
        p, c = patch_size, d // patch_size**2
        x = patches.reshape(b, h // p, w // p, c, p, p).permute(0, 3, 1, 5, 2, 4)
        return x.reshape(b, c, h, w)

    return unpatchify


def unpatchify_wrong_07():
    """P before columns is forgotten: rows and columns stay together."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        h, w = image_size
        p, c = patch_size, d // patch_size**2
        x = patches.reshape(b, h // p, w // p, c, p, p).permute(0, 3, 1, 2, 4, 5)
        return x.reshape(b, c, h, w)

    return unpatchify


def unpatchify_wrong_08():
    """Channel last in a patch."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        h, w = image_size
        p, c = patch_size, d // patch_size**2
        x = patches.reshape(b, h // p, w // p, p, p, c).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(b, c, h, w)

    return unpatchify


def unpatchify_wrong_09():
    """Returns (B, H, W, C), good for drawing."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        h, w = image_size
        p, c = patch_size, d // patch_size**2
        x = patches.reshape(b, h // p, w // p, c, p, p).permute(0, 1, 4, 2, 5, 3)
        return x.reshape(b, h, w, c)

    return unpatchify


def unpatchify_wrong_10():
    """[corner] [raises] three channels hard-coded."""

    def unpatchify(patches, patch_size, image_size):
        b = len(patches)
        h, w = image_size
        p = patch_size
        x = patches.reshape(b, h // p, w // p, 3, p, p).permute(0, 3, 1, 4, 2, 5)
        return x.reshape(b, 3, h, w)

    return unpatchify


def unpatchify_wrong_11():
    """[raises] view after permute."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        h, w = image_size
        p, c = patch_size, d // patch_size**2
        x = patches.view(b, h // p, w // p, c, p, p).permute(0, 3, 1, 4, 2, 5)
        return x.view(b, c, h, w)

    return unpatchify


def unpatchify_wrong_12():
    """[corner] a loop that writes the first image into all."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        h, w = image_size
        p = patch_size
        out = patches.new_zeros(b, d // p**2, h, w)
        for k in range(n):
            r, c = divmod(k, w // p)
            out[:, :, r * p : r * p + p, c * p : c * p + p] = patches[0, k].reshape(-1, p, p)
        return out

    return unpatchify


def unpatchify_wrong_13():
    """[corner] divides the place by the number of rows."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        h, w = image_size
        p = patch_size
        out = patches.new_zeros(b, d // p**2, h, w)
        for k in range(n):
            r, c = k // (h // p), k % (h // p)
            out[:, :, r * p : r * p + p, c * p : c * p + p] = patches[:, k].reshape(b, -1, p, p)
        return out

    return unpatchify


def unpatchify_wrong_14():
    """[corner] loop leaves out the last patch."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        h, w = image_size
        p = patch_size
        out = patches.new_zeros(b, d // p**2, h, w)
        for k in range(n - 1):
            r, c = divmod(k, w // p)
            out[:, :, r * p : r * p + p, c * p : c * p + p] = patches[:, k].reshape(b, -1, p, p)
        return out

    return unpatchify


def unpatchify_wrong_15():
    """Batch lost for one image."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        h, w = image_size
        p, c = patch_size, d // patch_size**2
        x = patches.reshape(b, h // p, w // p, c, p, p).permute(0, 3, 1, 4, 2, 5)
        return x.reshape(b, c, h, w).squeeze(0)

    return unpatchify


def unpatchify_right_01():
    """Fold."""
    import torch.nn.functional as F
    from torch import Tensor, nn

    def unpatchify(patches: Tensor, patch_size: int, image_size: tuple[int, int]) -> Tensor:
        columns = patches.transpose(1, 2).double()
        return F.fold(columns, output_size=tuple(image_size), kernel_size=patch_size, stride=patch_size).to(
            patches.dtype
        )

    return unpatchify


def unpatchify_right_02():
    """Pixel_shuffle."""
    import torch.nn.functional as F

    def unpatchify(patches, patch_size, image_size):
        h, w = image_size
        grid = (h // patch_size, w // patch_size)
        return F.pixel_shuffle(patches.transpose(1, 2).unflatten(2, grid), patch_size)

    return unpatchify


def unpatchify_right_03():
    """Einsum as a permutation, -1 for the channels."""
    import torch

    def unpatchify(patches, patch_size, image_size):
        p = patch_size
        h, w = image_size
        x = patches.reshape(len(patches), h // p, w // p, -1, p, p)
        return torch.einsum("brscpq->bcrpsq", x).reshape(len(patches), -1, h, w)

    return unpatchify


def unpatchify_right_04():
    """Cat of rows, cat of patches."""
    import torch

    def unpatchify(patches, patch_size, image_size):
        p = patch_size
        b, n, d = patches.shape
        columns = image_size[1] // p
        squares = list(patches.reshape(b, n, -1, p, p).unbind(dim=1))
        lines = [torch.cat(squares[i : i + columns], dim=3) for i in range(0, n, columns)]
        return torch.cat(lines, dim=2)

    return unpatchify


def unpatchify_right_05():
    """Loop that fills zeros (a loop is not forbidden here)."""

    def unpatchify(patches, patch_size, image_size):
        b, n, d = patches.shape
        h, w = image_size
        p = patch_size
        out = patches.new_zeros(b, d // p**2, h, w)
        for k in range(n):
            r, c = divmod(k, w // p)
            out[:, :, r * p : r * p + p, c * p : c * p + p] = patches[:, k].reshape(b, -1, p, p)
        return out

    return unpatchify


def unpatchify_right_06():
    """Argsort of the index table of patchify."""
    import torch

    def unpatchify(patches, patch_size, image_size):
        (h, w), p = image_size, patch_size
        b, _, d = patches.shape
        c = d // (p * p)
        order = torch.arange(c * h * w).reshape(c, h // p, p, w // p, p).permute(1, 3, 0, 2, 4).flatten()
        return patches.flatten(1)[:, order.argsort()].reshape(b, c, h, w)

    return unpatchify


def unpatchify_right_07():
    """Numpy inside."""
    import numpy as np
    import torch

    def unpatchify(patches, patch_size, image_size):
        h, w = image_size
        p = patch_size
        x = patches.detach().numpy().reshape(len(patches), h // p, w // p, -1, p, p)
        x = np.einsum("brscpq->bcrpsq", x)
        return torch.tensor(np.ascontiguousarray(x)).reshape(len(patches), -1, h, w)

    return unpatchify


def embed_by_convolution_wrong_01():
    """Bias forgotten."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size)
        return F.conv2d(images, kernels, stride=patch_size).flatten(2).transpose(1, 2)

    return embed_by_convolution


def embed_by_convolution_wrong_02():
    """Stride forgotten."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size)
        return F.conv2d(images, kernels, bias).flatten(2).transpose(1, 2)

    return embed_by_convolution


def embed_by_convolution_wrong_03():
    """Returns (B, D, N)."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size)
        return F.conv2d(images, kernels, bias, stride=patch_size).flatten(2)

    return embed_by_convolution


def embed_by_convolution_wrong_04():
    """Reshape instead of transpose at the end."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size)
        y = F.conv2d(images, kernels, bias, stride=patch_size)
        return y.reshape(len(images), -1, len(weight))

    return embed_by_convolution


def embed_by_convolution_wrong_05():
    """Returns (B, D, rows, columns)."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size)
        return F.conv2d(images, kernels, bias, stride=patch_size)

    return embed_by_convolution


def embed_by_convolution_wrong_06():
    """[corner] kernel channels last."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        c = images.shape[1]
        kernels = weight.reshape(len(weight), patch_size, patch_size, c).permute(0, 3, 1, 2)
        return F.conv2d(images, kernels, bias, stride=patch_size).flatten(2).transpose(1, 2)

    return embed_by_convolution


def embed_by_convolution_wrong_07():
    """Kernels turned by 180 degrees ('a true convolution')."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size).flip(2, 3)
        return F.conv2d(images, kernels, bias, stride=patch_size).flatten(2).transpose(1, 2)

    return embed_by_convolution


def embed_by_convolution_wrong_08():
    """Rows and columns of the kernels exchanged."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size).transpose(2, 3)
        return F.conv2d(images, kernels, bias, stride=patch_size).flatten(2).transpose(1, 2)

    return embed_by_convolution


def embed_by_convolution_wrong_09():
    """Tokens column by column."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size)
        y = F.conv2d(images, kernels, bias, stride=patch_size)
        return y.permute(0, 3, 2, 1).flatten(1, 2)

    return embed_by_convolution


def embed_by_convolution_wrong_10():
    """[corner] [raises] three channels hard-coded."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), 3, patch_size, patch_size)
        return F.conv2d(images, kernels, bias, stride=patch_size).flatten(2).transpose(1, 2)

    return embed_by_convolution


def embed_by_convolution_wrong_11():
    """Weight transposed before the reshape."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.T.reshape(len(weight), -1, patch_size, patch_size)
        return F.conv2d(images, kernels, bias, stride=patch_size).flatten(2).transpose(1, 2)

    return embed_by_convolution


def embed_by_convolution_wrong_12():
    """[rule] cuts patches first, no convolution."""
    from course_utils.model import patches as package

    def embed_by_convolution(images, weight, bias, patch_size):
        return package.patchify(images, patch_size) @ weight.T + bias

    return embed_by_convolution


def embed_by_convolution_wrong_13():
    """[rule] F.unfold and F.linear, no convolution."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        return F.linear(F.unfold(images, patch_size, stride=patch_size).transpose(1, 2), weight, bias)

    return embed_by_convolution


def embed_by_convolution_wrong_14():
    """[gradient] a new nn.Conv2d filled with detached copies."""
    from torch import Tensor, nn

    def embed_by_convolution(images, weight, bias, patch_size):
        layer = nn.Conv2d(images.shape[1], len(weight), patch_size, patch_size)
        layer.weight.data = weight.detach().reshape(layer.weight.shape)
        layer.bias.data = bias.detach()
        return layer(images).detach().flatten(2).transpose(1, 2)

    return embed_by_convolution


def embed_by_convolution_wrong_15():
    """A fresh nn.Conv2d with its own random weights."""
    from torch import Tensor, nn

    def embed_by_convolution(images, weight, bias, patch_size):
        layer = nn.Conv2d(images.shape[1], weight.shape[0], patch_size, stride=patch_size)
        return layer(images).flatten(2).transpose(1, 2)

    return embed_by_convolution


def embed_by_convolution_wrong_16():
    """Padding that adds an edge of tokens."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size)
        return F.conv2d(images, kernels, bias, stride=patch_size, padding=patch_size // 2).flatten(2).transpose(1, 2)

    return embed_by_convolution


def embed_by_convolution_wrong_17():
    """Bias added a second time."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size)
        return F.conv2d(images, kernels, bias, stride=patch_size).flatten(2).transpose(1, 2) + bias

    return embed_by_convolution


def embed_by_convolution_wrong_18():
    """[corner] squeezes, so that a batch of one loses its axis."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size)
        return F.conv2d(images, kernels, bias, stride=patch_size).flatten(2).transpose(1, 2).squeeze()

    return embed_by_convolution


def embed_by_convolution_right_01():
    """Bias added at the end."""
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.unflatten(1, (-1, patch_size, patch_size))
        return F.conv2d(images, kernels, stride=patch_size).flatten(2).mT + bias

    return embed_by_convolution


def embed_by_convolution_right_02():
    """Torch.conv2d, permute and reshape."""
    import torch
    from torch import Tensor, nn

    def embed_by_convolution(images: Tensor, weight: Tensor, bias: Tensor, patch_size: int) -> Tensor:
        d, p = weight.shape[0], patch_size
        y = torch.conv2d(images, weight.view(d, images.size(1), p, p), bias, (p, p))
        return y.permute(0, 2, 3, 1).reshape(images.size(0), -1, d)

    return embed_by_convolution


def embed_by_convolution_right_03():
    """One image at a time, then stack."""
    import torch
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size)
        return torch.stack([F.conv2d(im, kernels, bias, stride=patch_size).flatten(1).T for im in images])

    return embed_by_convolution


def embed_by_convolution_right_04():
    """Float64 inside, the word patchify in a comment."""
    import torch.nn.functional as F
    from course_utils.model import patches as package

    def embed_by_convolution(images, weight, bias, patch_size):
        # the same as package.patchify and a linear map
        kernels = weight.double().reshape(len(weight), -1, patch_size, patch_size)
        y = F.conv2d(images.double(), kernels, bias.double(), stride=patch_size)
        return y.flatten(2).transpose(1, 2).to(images.dtype)

    return embed_by_convolution


def embed_by_convolution_right_05():
    """Keyword names, a tuple for the stride."""
    import torch
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        side = (patch_size, patch_size)
        y = F.conv2d(input=images, weight=weight.reshape(-1, images.shape[1], *side), bias=bias, stride=side)
        return torch.einsum("bdrc->brcd", y).flatten(1, 2)

    return embed_by_convolution


def embed_by_convolution_right_06():
    """One kernel at a time."""
    import torch
    import torch.nn.functional as F

    def embed_by_convolution(images, weight, bias, patch_size):
        p = patch_size
        columns = []
        for line, number in zip(weight, bias):
            columns.append(F.conv2d(images, line.reshape(1, -1, p, p), number[None], stride=p).flatten(1))
        return torch.stack(columns, dim=-1)

    return embed_by_convolution


# exercise, what the check says (None: wrong, without a name), attempt
ATTEMPTS = [
    (checks.patchify, "a bare reshape", patchify_wrong_01),
    (checks.patchify, "channel last inside a patch", patchify_wrong_02),
    (checks.patchify, "patches numbered down the columns", patchify_wrong_03),
    (checks.patchify, "rows and columns exchanged inside a patch", patchify_wrong_04),
    (checks.patchify, "right for some sizes only", patchify_wrong_05),
    (checks.patchify, "width and height exchanged", patchify_wrong_06),
    (checks.patchify, "the sides split in the wrong order", patchify_wrong_07),
    (checks.patchify, "view after permute", patchify_wrong_08),
    (checks.patchify, "a reshape that does not fit", patchify_wrong_09),
    (checks.patchify, "the grid not flattened", patchify_wrong_10),
    (checks.patchify, "patches not flattened", patchify_wrong_11),
    (checks.patchify, "images of a batch joined", patchify_wrong_12),
    (checks.patchify, "only the first of the batch", patchify_wrong_13),
    (checks.patchify, "channels not moved into the patch", patchify_wrong_14),
    (checks.patchify, "a loop", patchify_wrong_15),
    (checks.patchify, "a loop", patchify_wrong_16),
    (checks.patchify, "a loop", patchify_wrong_17),
    (checks.patchify, None, patchify_wrong_18),
    (checks.patchify, "tokens on the last axis", patchify_wrong_19),
    (checks.patchify, "overlapping patches", patchify_wrong_20),
    (checks.patchify, "nothing is returned", patchify_wrong_21),
    (checks.patchify, "changes its input", patchify_wrong_22),
    (checks.patchify, "correct", patchify_right_01),
    (checks.patchify, "correct", patchify_right_02),
    (checks.patchify, "correct", patchify_right_03),
    (checks.patchify, "correct", patchify_right_04),
    (checks.patchify, "correct", patchify_right_05),
    (checks.patchify, "correct", patchify_right_06),
    (checks.patchify, "correct", patchify_right_07),
    (checks.patchify, "correct", patchify_right_08),
    (checks.patchify, "correct", patchify_right_09),
    (checks.unpatchify, "a bare reshape", unpatchify_wrong_01),
    (checks.unpatchify, "patchify's own permutation", unpatchify_wrong_02),
    (checks.unpatchify, "right for some sizes only", unpatchify_wrong_03),
    (checks.unpatchify, "width and height exchanged", unpatchify_wrong_04),
    (checks.unpatchify, "patches placed down the columns", unpatchify_wrong_05),
    (checks.unpatchify, "rows and columns exchanged inside a patch", unpatchify_wrong_06),
    (checks.unpatchify, "grid axes not beside their pixel axes", unpatchify_wrong_07),
    (checks.unpatchify, "channel read last inside a patch", unpatchify_wrong_08),
    (checks.unpatchify, "channels on the last axis", unpatchify_wrong_09),
    (checks.unpatchify, "a reshape that does not fit", unpatchify_wrong_10),
    (checks.unpatchify, "view after permute", unpatchify_wrong_11),
    (checks.unpatchify, "only the first of the batch", unpatchify_wrong_12),
    (checks.unpatchify, "right for some sizes only", unpatchify_wrong_13),
    (checks.unpatchify, "the last patch left out", unpatchify_wrong_14),
    (checks.unpatchify, "an axis of length 1 is lost", unpatchify_wrong_15),
    (checks.unpatchify, "correct", unpatchify_right_01),
    (checks.unpatchify, "correct", unpatchify_right_02),
    (checks.unpatchify, "correct", unpatchify_right_03),
    (checks.unpatchify, "correct", unpatchify_right_04),
    (checks.unpatchify, "correct", unpatchify_right_05),
    (checks.unpatchify, "correct", unpatchify_right_06),
    (checks.unpatchify, "correct", unpatchify_right_07),
    (checks.embed_by_convolution, "bias forgotten", embed_by_convolution_wrong_01),
    (checks.embed_by_convolution, "stride left at 1", embed_by_convolution_wrong_02),
    (checks.embed_by_convolution, "tokens on the last axis", embed_by_convolution_wrong_03),
    (checks.embed_by_convolution, "a bare reshape of the output", embed_by_convolution_wrong_04),
    (checks.embed_by_convolution, "the grid not flattened", embed_by_convolution_wrong_05),
    (checks.embed_by_convolution, "kernel read with the channel last", embed_by_convolution_wrong_06),
    (checks.embed_by_convolution, "the kernel turned round", embed_by_convolution_wrong_07),
    (checks.embed_by_convolution, "rows and columns of the kernel exchanged", embed_by_convolution_wrong_08),
    (checks.embed_by_convolution, "tokens numbered down the columns", embed_by_convolution_wrong_09),
    (checks.embed_by_convolution, "a reshape that does not fit", embed_by_convolution_wrong_10),
    (checks.embed_by_convolution, "the weight turned round before the reshape", embed_by_convolution_wrong_11),
    (checks.embed_by_convolution, "patches cut in place of a convolution", embed_by_convolution_wrong_12),
    (checks.embed_by_convolution, "patches cut in place of a convolution", embed_by_convolution_wrong_13),
    (checks.embed_by_convolution, "no gradient", embed_by_convolution_wrong_14),
    (checks.embed_by_convolution, "random numbers of its own", embed_by_convolution_wrong_15),
    (checks.embed_by_convolution, "padding", embed_by_convolution_wrong_16),
    (checks.embed_by_convolution, "the bias added twice", embed_by_convolution_wrong_17),
    (checks.embed_by_convolution, "an axis of length 1 is lost", embed_by_convolution_wrong_18),
    (checks.embed_by_convolution, "correct", embed_by_convolution_right_01),
    (checks.embed_by_convolution, "correct", embed_by_convolution_right_02),
    (checks.embed_by_convolution, "correct", embed_by_convolution_right_03),
    (checks.embed_by_convolution, "correct", embed_by_convolution_right_04),
    (checks.embed_by_convolution, "correct", embed_by_convolution_right_05),
    (checks.embed_by_convolution, "correct", embed_by_convolution_right_06),
]
