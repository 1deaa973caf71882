"""Attempts at lesson 05 (vit), written from the tasks' texts by someone who had not seen the checks."""
# ruff: noqa  - learners' code

from course_utils.checks import vit as checks


def shapes_of_forward_wrong_01():
    """[corner] square images only."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) ** 2
        return {
            "patches": (b, n, c * patch_size**2),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "pooled": (b, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_02():
    """Class token forgotten."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return {
            "patches": (b, n, c * patch_size**2),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n, embed_dim),
            "pooled": (b, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_03():
    """Class token among the patch tokens already."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return {
            "patches": (b, n, c * patch_size**2),
            "patch tokens": (b, n + 1, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "pooled": (b, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_04():
    """Class token among the patches already."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size) + 1
        return {
            "patches": (b, n, c * patch_size**2),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n, embed_dim),
            "pooled": (b, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_05():
    """Pooled keeps the token axis."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return {
            "patches": (b, n, c * patch_size**2),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "pooled": (b, 1, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_06():
    """Logits for each token."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return {
            "patches": (b, n, c * patch_size**2),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "pooled": (b, embed_dim),
            "logits": (b, n + 1, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_07():
    """Channels forgotten."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return {
            "patches": (b, n, patch_size**2),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "pooled": (b, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_08():
    """Three channels hard-coded."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, _, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return {
            "patches": (b, n, 3 * patch_size**2),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "pooled": (b, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_09():
    """Patches not flattened."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return {
            "patches": (b, n, c, patch_size, patch_size),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "pooled": (b, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_10():
    """The grid not joined."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        rows, columns = h // patch_size, w // patch_size
        n = rows * columns
        return {
            "patches": (b, rows, columns, c * patch_size**2),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "pooled": (b, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_11():
    """Batch axis left out."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        _, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return {
            "patches": (n, c * patch_size**2),
            "patch tokens": (n, embed_dim),
            "tokens": (n + 1, embed_dim),
            "pooled": (embed_dim,),
            "logits": (num_classes,),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_12():
    """Patch_size taken as the number of patches of a side."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = patch_size**2
        return {
            "patches": (b, n, c * (h // patch_size) * (w // patch_size)),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "pooled": (b, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_13():
    """Keys with an underscore."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return dict(
            patches=(b, n, c * patch_size**2),
            patch_tokens=(b, n, embed_dim),
            tokens=(b, n + 1, embed_dim),
            pooled=(b, embed_dim),
            logits=(b, num_classes),
        )

    return shapes_of_forward


def shapes_of_forward_wrong_14():
    """A list of shapes without keys."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return [(b, n, c * patch_size**2), (b, n, embed_dim), (b, n + 1, embed_dim), (b, embed_dim), (b, num_classes)]

    return shapes_of_forward


def shapes_of_forward_wrong_15():
    """Shapes as lists, not tuples."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return {
            "patches": [b, n, c * patch_size**2],
            "patch tokens": [b, n, embed_dim],
            "tokens": [b, n + 1, embed_dim],
            "pooled": [b, embed_dim],
            "logits": [b, num_classes],
        }

    return shapes_of_forward


def shapes_of_forward_wrong_16():
    """'pooled' missing."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return {
            "patches": (b, n, c * patch_size**2),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_17():
    """Pixels counted instead of patches."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h * w) // patch_size
        return {
            "patches": (b, n, c * patch_size**2),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "pooled": (b, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_18():
    """Image_shape read as (B, H, W, C)."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, h, w, c = image_shape
        n = (h // patch_size) * (w // patch_size)
        return {
            "patches": (b, n, c * patch_size**2),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "pooled": (b, embed_dim),
            "logits": (b, num_classes),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_19():
    """D and K exchanged at the end."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        return {
            "patches": (b, n, c * patch_size**2),
            "patch tokens": (b, n, embed_dim),
            "tokens": (b, n + 1, embed_dim),
            "pooled": (b, num_classes),
            "logits": (b, embed_dim),
        }

    return shapes_of_forward


def shapes_of_forward_wrong_20():
    """Prints the dict."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = (h // patch_size) * (w // patch_size)
        print(
            {
                "patches": (b, n, c * patch_size**2),
                "patch tokens": (b, n, embed_dim),
                "tokens": (b, n + 1, embed_dim),
                "pooled": (b, embed_dim),
                "logits": (b, num_classes),
            }
        )

    return shapes_of_forward


def shapes_of_forward_right_01():
    """Dict filled key by key."""
    import math

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        shapes = {}
        n = math.prod(side // patch_size for side in image_shape[2:])
        shapes["logits"] = (image_shape[0], num_classes)
        shapes["pooled"] = (image_shape[0], embed_dim)
        shapes["tokens"] = (image_shape[0], 1 + n, embed_dim)
        shapes["patch tokens"] = (image_shape[0], n, embed_dim)
        shapes["patches"] = (image_shape[0], n, image_shape[1] * patch_size * patch_size)
        return shapes

    return shapes_of_forward


def shapes_of_forward_right_02():
    """Numbers of the image divided by the numbers of a patch."""
    import math

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, *rest = image_shape
        patch = rest[0] * patch_size**2
        n = math.prod(rest) // patch
        names = ("patches", "patch tokens", "tokens", "pooled", "logits")
        values = ((b, n, patch), (b, n, embed_dim), (b, n + 1, embed_dim), (b, embed_dim), (b, num_classes))
        return dict(zip(names, values))

    return shapes_of_forward


def shapes_of_forward_right_03():
    """One shape made from the one before."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        steps = {"patches": (b, len(range(0, h, patch_size)) * len(range(0, w, patch_size)), c * patch_size**2)}
        steps["patch tokens"] = steps["patches"][:2] + (embed_dim,)
        steps["tokens"] = (b, steps["patch tokens"][1] + 1, embed_dim)
        steps["pooled"] = steps["tokens"][::2]
        steps["logits"] = steps["pooled"][:1] + (num_classes,)
        return steps

    return shapes_of_forward


def shapes_of_forward_right_04():
    """Round division with int()."""

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = (int(number) for number in image_shape)
        n = int(h / patch_size) * int(w / patch_size)
        with_n = lambda count, width: (b, count, width)
        return {
            "patches": with_n(n, c * patch_size**2),
            "patch tokens": with_n(n, embed_dim),
            "tokens": with_n(n + 1, embed_dim),
            "pooled": tuple([b, embed_dim]),
            "logits": tuple([b, num_classes]),
        }

    return shapes_of_forward


def shapes_of_forward_right_05():
    """OrderedDict, a subclass of dict."""
    from collections import OrderedDict

    def shapes_of_forward(image_shape, patch_size, embed_dim, num_classes):
        b, c, h, w = image_shape
        n = h * w // patch_size**2
        return OrderedDict(
            [
                ("patches", (b, n, c * patch_size**2)),
                ("patch tokens", (b, n, embed_dim)),
                ("tokens", (b, n + 1, embed_dim)),
                ("pooled", (b, embed_dim)),
                ("logits", (b, num_classes)),
            ]
        )

    return shapes_of_forward


def vit_forward_wrong_01():
    """Blocks called, their result thrown away."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            block(tokens)
        return head(norm(tokens)[:, 0])

    return vit_forward


def vit_forward_wrong_02():
    """Every block gets the embeddings: only the last counts."""

    def vit_forward(images, embeddings, blocks, norm, head):
        start = tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(start)
        return head(norm(tokens)[:, 0])

    return vit_forward


def vit_forward_wrong_03():
    """Norm forgotten."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
        return head(tokens[:, 0])

    return vit_forward


def vit_forward_wrong_04():
    """Norm before the blocks."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = norm(embeddings(images))
        for block in blocks:
            tokens, _ = block(tokens)
        return head(tokens[:, 0])

    return vit_forward


def vit_forward_wrong_05():
    """Norm after every block."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
            tokens = norm(tokens)
        return head(tokens[:, 0])

    return vit_forward


def vit_forward_wrong_06():
    """Norm twice."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
        return head(norm(norm(tokens)[:, 0]))

    return vit_forward


def vit_forward_wrong_07():
    """Mean of all tokens."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
        return head(norm(tokens).mean(dim=1))

    return vit_forward


def vit_forward_wrong_08():
    """Last token."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
        return head(norm(tokens)[:, -1])

    return vit_forward


def vit_forward_wrong_09():
    """First patch token instead of the class token."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
        return head(norm(tokens)[:, 1])

    return vit_forward


def vit_forward_wrong_10():
    """First image instead of first token."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
        return head(norm(tokens)[0])

    return vit_forward


def vit_forward_wrong_11():
    """Logits for all tokens."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
        return head(norm(tokens))

    return vit_forward


def vit_forward_wrong_12():
    """Keeps the token axis: (B, 1, K)."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
        return head(norm(tokens)[:, :1])

    return vit_forward


def vit_forward_wrong_13():
    """Head forgotten."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
        return norm(tokens)[:, 0]

    return vit_forward


def vit_forward_wrong_14():
    """Softmax behind the head."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
        return head(norm(tokens)[:, 0]).softmax(dim=-1)

    return vit_forward


def vit_forward_wrong_15():
    """Residual around each block."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens = tokens + block(tokens)[0]
        return head(norm(tokens)[:, 0])

    return vit_forward


def vit_forward_wrong_16():
    """Blocks in reverse order."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks[::-1]:
            tokens, _ = block(tokens)
        return head(norm(tokens)[:, 0])

    return vit_forward


def vit_forward_wrong_17():
    """Last block left out."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for i in range(len(blocks) - 1):
            tokens, _ = blocks[i](tokens)
        return head(norm(tokens)[:, 0])

    return vit_forward


def vit_forward_wrong_18():
    """[corner] [raises] the pair is not taken apart."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens = block(tokens)
        return head(norm(tokens)[:, 0])

    return vit_forward


def vit_forward_wrong_19():
    """[corner] [raises] two blocks hard-coded."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens, _ = blocks[0](embeddings(images))
        tokens, _ = blocks[1](tokens)
        return head(norm(tokens)[:, 0])

    return vit_forward


def vit_forward_wrong_20():
    """Return inside the loop."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
            return head(norm(tokens)[:, 0])

    return vit_forward


def vit_forward_wrong_21():
    """[corner] squeezes: a batch of one loses its axis."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
        return head(norm(tokens)[:, 0]).squeeze(0)

    return vit_forward


def vit_forward_wrong_22():
    """[gradient] inference: no gradient for training."""
    import torch

    def vit_forward(images, embeddings, blocks, norm, head):
        with torch.no_grad():
            tokens = embeddings(images)
            for block in blocks:
                tokens, _ = block(tokens)
            return head(norm(tokens)[:, 0])

    return vit_forward


def vit_forward_wrong_23():
    """[gradient] tokens detached between the blocks."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens = block(tokens)[0].detach()
        return head(norm(tokens)[:, 0])

    return vit_forward


def vit_forward_wrong_24():
    """The class token taken before the blocks."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)[:, :1]
        for block in blocks:
            tokens, _ = block(tokens)
        return head(norm(tokens)[:, 0])

    return vit_forward


def vit_forward_wrong_25():
    """The class itself, not the logits."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, _ = block(tokens)
        return head(norm(tokens)[:, 0]).argmax(dim=-1)

    return vit_forward


def vit_forward_wrong_26():
    """Returns a pair, as the blocks do."""

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = embeddings(images)
        for block in blocks:
            tokens, weights = block(tokens)
        return head(norm(tokens)[:, 0]), None

    return vit_forward


def vit_forward_right_01():
    """Norm of the class token only."""

    def vit_forward(images, embeddings, blocks, norm, head):
        x = embeddings(images)
        for block in blocks:
            x = block(x)[0]
        return head(norm(x[:, 0]))

    return vit_forward


def vit_forward_right_02():
    """Head on all tokens, then the class token."""

    def vit_forward(images, embeddings, blocks, norm, head):
        x = embeddings(images)
        for block in blocks:
            x, *_ = block(x)
        return head(norm(x))[:, 0]

    return vit_forward


def vit_forward_right_03():
    """Reduce."""
    from functools import reduce

    def vit_forward(images, embeddings, blocks, norm, head):
        tokens = reduce(lambda t, block: block(t)[0], blocks, embeddings(images))
        return head(norm(tokens).select(1, 0))

    return vit_forward


def vit_forward_right_04():
    """Recursion."""

    def vit_forward(images, embeddings, blocks, norm, head):
        def through(tokens, rest):
            return tokens if not len(rest) else through(rest[0](tokens)[0], rest[1:])

        return head(norm(through(embeddings(images), blocks)).unbind(dim=1)[0])

    return vit_forward


def vit_forward_right_05():
    """Index instead of for-each, annotated."""
    import torch
    from torch import nn

    def vit_forward(
        images: torch.Tensor, embeddings: nn.Module, blocks: list[nn.Module], norm: nn.Module, head: nn.Module
    ) -> torch.Tensor:
        pair = (embeddings(images), None)
        i = 0
        while i < len(blocks):
            pair = blocks[i](pair[0])
            i += 1
        normed = norm(pair[0])
        return head(normed[:, 0, :])

    return vit_forward


def vit_forward_right_06():
    """Einsum with a one-hot vector."""
    import torch

    def vit_forward(images, embeddings, blocks, norm, head):
        x = embeddings(images)
        for block in blocks:
            x, _weights_or_none = block(x)
        y = norm(x)
        pick = torch.zeros(y.shape[1], dtype=y.dtype)
        pick[0] = 1
        return head(torch.einsum("bnd,n->bd", y, pick))

    return vit_forward


def vit_forward_right_07():
    """Image by image."""
    import torch

    def vit_forward(images, embeddings, blocks, norm, head):
        rows = []
        for image in images.split(1):
            tokens = embeddings(image)
            for block in blocks:
                tokens, _ = block(tokens)
            rows.append(head(norm(tokens)[:, 0]))
        return torch.cat(rows)

    return vit_forward


def parameters_of_block_wrong_01():
    """Biases of the attention forgotten."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return 4 * d * d + (d * m + m + m * d + d) + 4 * d

    return parameters_of_block


def parameters_of_block_wrong_02():
    """Biases of the MLP forgotten."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return 4 * (d * d + d) + 2 * d * m + 4 * d

    return parameters_of_block


def parameters_of_block_wrong_03():
    """Norms forgotten."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return 4 * (d * d + d) + d * m + m + m * d + d

    return parameters_of_block


def parameters_of_block_wrong_04():
    """One norm only."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return 4 * (d * d + d) + d * m + m + m * d + d + 2 * d

    return parameters_of_block


def parameters_of_block_wrong_05():
    """Norms without a shift."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return 4 * (d * d + d) + d * m + m + m * d + d + d + d

    return parameters_of_block


def parameters_of_block_wrong_06():
    """Three norms: the one at the end, too."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return 4 * (d * d + d) + d * m + m + m * d + d + 6 * d

    return parameters_of_block


def parameters_of_block_wrong_07():
    """Attention times the number of heads."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return num_heads * 4 * (d * d + d) + d * m + m + m * d + d + 4 * d

    return parameters_of_block


def parameters_of_block_wrong_08():
    """Output projection forgotten."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return 3 * (d * d + d) + d * m + m + m * d + d + 4 * d

    return parameters_of_block


def parameters_of_block_wrong_09():
    """Heads of width D / h map only their own part."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m, w = embed_dim, hidden_dim, embed_dim // num_heads
        return num_heads * 3 * (w * w + w) + d * d + d + d * m + m + m * d + d + 4 * d

    return parameters_of_block


def parameters_of_block_wrong_10():
    """[corner] hidden units taken as 4 D."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d = embed_dim
        m = 4 * d
        return 4 * (d * d + d) + d * m + m + m * d + d + 4 * d

    return parameters_of_block


def parameters_of_block_wrong_11():
    """Rule of thumb 12 D^2."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        return 12 * embed_dim**2

    return parameters_of_block


def parameters_of_block_wrong_12():
    """Hidden_dim taken as a ratio."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim * embed_dim
        return 4 * (d * d + d) + d * m + m + m * d + d + 4 * d

    return parameters_of_block


def parameters_of_block_wrong_13():
    """MLP has one layer only."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return 4 * (d * d + d) + d * m + m + 4 * d

    return parameters_of_block


def parameters_of_block_wrong_14():
    """Both MLP biases of width M."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return 4 * (d * d + d) + 2 * (d * m + m) + 4 * d

    return parameters_of_block


def parameters_of_block_wrong_15():
    """Both MLP biases of width D."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return 4 * (d * d + d) + 2 * (d * m + d) + 4 * d

    return parameters_of_block


def parameters_of_block_wrong_16():
    """^ instead of **."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return 4 * ((d ^ 2) + d) + d * m + m + m * d + d + 4 * d

    return parameters_of_block


def parameters_of_block_wrong_17():
    """Bias of q, k, v counted once, not three times."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return (3 * d * d + d) + (d * d + d) + d * m + m + m * d + d + 4 * d

    return parameters_of_block


def parameters_of_block_wrong_18():
    """In thousands, as the table shows it."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return round((4 * (d * d + d) + 2 * d * m + m + d + 4 * d) / 1000)

    return parameters_of_block


def parameters_of_block_wrong_19():
    """Prints instead of returning."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        print(4 * (d * d + d) + 2 * d * m + m + d + 4 * d)

    return parameters_of_block


def parameters_of_block_wrong_20():
    """A scale and a shift for each head."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, m = embed_dim, hidden_dim
        return 4 * (d * d + d) + 2 * d * m + m + d + 4 * d * num_heads

    return parameters_of_block


def parameters_of_block_right_01():
    """One polynomial."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        return 4 * embed_dim**2 + 9 * embed_dim + hidden_dim * (2 * embed_dim + 1)

    return parameters_of_block


def parameters_of_block_right_02():
    """Helper functions."""

    def parameters_of_block(embed_dim: int, num_heads: int, hidden_dim: int) -> int:
        linear = lambda a, b: (a + 1) * b
        norm = lambda a: 2 * a
        parts = [norm(embed_dim), linear(embed_dim, 3 * embed_dim), linear(embed_dim, embed_dim)]
        parts += [norm(embed_dim), linear(embed_dim, hidden_dim), linear(hidden_dim, embed_dim)]
        return sum(parts)

    return parameters_of_block


def parameters_of_block_right_03():
    """Head by head."""
    import math

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        width = embed_dim // num_heads
        total = 0
        for _ in range(num_heads):
            for _ in "qkv":
                total += embed_dim * width + width
            total += width * embed_dim  # its part of the projection back
        total += embed_dim
        total += sum(map(math.prod, [(embed_dim, hidden_dim), (hidden_dim, embed_dim), (hidden_dim,), (embed_dim,)]))
        return total + 2 * 2 * embed_dim

    return parameters_of_block


def parameters_of_block_right_04():
    """Recursion over the layers."""

    def parameters_of_block(embed_dim: int, num_heads: int, hidden_dim: int) -> int:
        def count(layers):
            if not layers:
                return 0
            (inputs, outputs), *rest = layers
            return inputs * outputs + outputs + count(rest)

        d = embed_dim
        return count([(1, d), (d, d), (d, d), (d, d), (d, d), (1, d), (d, hidden_dim), (hidden_dim, d)])

    return parameters_of_block


def parameters_of_block_right_05():
    """Class with __call__."""

    class Count:
        def __call__(self, embed_dim, num_heads, hidden_dim):
            weights = 4 * embed_dim**2 + 2 * embed_dim * hidden_dim
            biases = 5 * embed_dim + hidden_dim
            return weights + biases + 4 * embed_dim

    parameters_of_block = Count()

    return parameters_of_block


def parameters_of_block_right_06():
    """Lambda, default for the heads."""
    parameters_of_block = lambda embed_dim, num_heads=1, hidden_dim=0: sum(
        [embed_dim] * 4
        + [embed_dim * (embed_dim + 1)] * 4
        + [hidden_dim * (embed_dim + 1), embed_dim * (hidden_dim + 1)]
    )

    return parameters_of_block


def parameters_of_block_wrong_21():
    """[corner] the ratio of the MLP rounded down to a whole number."""

    def parameters_of_block(embed_dim, num_heads, hidden_dim):
        d, ratio = embed_dim, hidden_dim // embed_dim
        return (4 + 2 * ratio) * d * d + ratio * d + 9 * d

    return parameters_of_block


# exercise, what the check says (None: wrong, without a name), attempt
ATTEMPTS = [
    (checks.shapes_of_forward, "a square image assumed", shapes_of_forward_wrong_01),
    (checks.shapes_of_forward, "the class token is missing", shapes_of_forward_wrong_02),
    (checks.shapes_of_forward, "the class token is there too early", shapes_of_forward_wrong_03),
    (checks.shapes_of_forward, "the class token is there too early", shapes_of_forward_wrong_04),
    (checks.shapes_of_forward, "the axis of the tokens is kept", shapes_of_forward_wrong_05),
    (checks.shapes_of_forward, "logits for every token", shapes_of_forward_wrong_06),
    (checks.shapes_of_forward, "the channels of a patch are missing", shapes_of_forward_wrong_07),
    (checks.shapes_of_forward, "a number of channels written in", shapes_of_forward_wrong_08),
    (checks.shapes_of_forward, "patches not flattened", shapes_of_forward_wrong_09),
    (checks.shapes_of_forward, "the grid not joined", shapes_of_forward_wrong_10),
    (checks.shapes_of_forward, "the batch is left out", shapes_of_forward_wrong_11),
    (checks.shapes_of_forward, "P is taken for the number of patches", shapes_of_forward_wrong_12),
    (checks.shapes_of_forward, "other keys", shapes_of_forward_wrong_13),
    (checks.shapes_of_forward, "another kind of result", shapes_of_forward_wrong_14),
    (checks.shapes_of_forward, "lists in place of tuples", shapes_of_forward_wrong_15),
    (checks.shapes_of_forward, "other keys", shapes_of_forward_wrong_16),
    (checks.shapes_of_forward, "pixels counted", shapes_of_forward_wrong_17),
    (checks.shapes_of_forward, "channels read last", shapes_of_forward_wrong_18),
    (checks.shapes_of_forward, "width and classes exchanged", shapes_of_forward_wrong_19),
    (checks.shapes_of_forward, "nothing is returned", shapes_of_forward_wrong_20),
    (checks.shapes_of_forward, "correct", shapes_of_forward_right_01),
    (checks.shapes_of_forward, "correct", shapes_of_forward_right_02),
    (checks.shapes_of_forward, "correct", shapes_of_forward_right_03),
    (checks.shapes_of_forward, "correct", shapes_of_forward_right_04),
    (checks.shapes_of_forward, "correct", shapes_of_forward_right_05),
    (checks.vit_forward, "the blocks have no effect", vit_forward_wrong_01),
    (checks.vit_forward, "every block starts from the embeddings", vit_forward_wrong_02),
    (checks.vit_forward, "no final norm", vit_forward_wrong_03),
    (checks.vit_forward, "the norm before the blocks", vit_forward_wrong_04),
    (checks.vit_forward, "the norm after every block", vit_forward_wrong_05),
    (checks.vit_forward, "the norm twice", vit_forward_wrong_06),
    (checks.vit_forward, "mean instead of the class token", vit_forward_wrong_07),
    (checks.vit_forward, "the last token instead of the first", vit_forward_wrong_08),
    (checks.vit_forward, "the first patch instead of the class token", vit_forward_wrong_09),
    (checks.vit_forward, "the first image instead of the first token", vit_forward_wrong_10),
    (checks.vit_forward, "every token is classified", vit_forward_wrong_11),
    (checks.vit_forward, "an axis of length 1 too many", vit_forward_wrong_12),
    (checks.vit_forward, "no head", vit_forward_wrong_13),
    (checks.vit_forward, "a softmax at the end", vit_forward_wrong_14),
    (checks.vit_forward, "each block added to its input", vit_forward_wrong_15),
    (checks.vit_forward, "blocks in reverse order", vit_forward_wrong_16),
    (checks.vit_forward, "a block left out", vit_forward_wrong_17),
    (checks.vit_forward, "the pair that a block returns is passed on", vit_forward_wrong_18),
    (checks.vit_forward, "two blocks written in", vit_forward_wrong_19),
    (checks.vit_forward, "only the first block runs", vit_forward_wrong_20),
    (checks.vit_forward, "an axis of length 1 is lost", vit_forward_wrong_21),
    (checks.vit_forward, "no gradient", vit_forward_wrong_22),
    (checks.vit_forward, "no gradient", vit_forward_wrong_23),
    (checks.vit_forward, "read out before the blocks", vit_forward_wrong_24),
    (checks.vit_forward, "the class in place of the logits", vit_forward_wrong_25),
    (checks.vit_forward, "more than one result", vit_forward_wrong_26),
    (checks.vit_forward, "correct", vit_forward_right_01),
    (checks.vit_forward, "correct", vit_forward_right_02),
    (checks.vit_forward, "correct", vit_forward_right_03),
    (checks.vit_forward, "correct", vit_forward_right_04),
    (checks.vit_forward, "correct", vit_forward_right_05),
    (checks.vit_forward, "correct", vit_forward_right_06),
    (checks.vit_forward, "correct", vit_forward_right_07),
    (checks.parameters_of_block, "4 D are missing", parameters_of_block_wrong_01),
    (checks.parameters_of_block, "the biases of the linear maps are missing", parameters_of_block_wrong_02),
    (checks.parameters_of_block, "4 D are missing", parameters_of_block_wrong_03),
    (checks.parameters_of_block, "2 D are missing", parameters_of_block_wrong_04),
    (checks.parameters_of_block, "2 D are missing", parameters_of_block_wrong_05),
    (checks.parameters_of_block, "the last norm of the model counted in", parameters_of_block_wrong_06),
    (checks.parameters_of_block, "multiplied by the number of heads", parameters_of_block_wrong_07),
    (checks.parameters_of_block, "the output projection of attention is missing", parameters_of_block_wrong_08),
    (checks.parameters_of_block, "each head maps its own part only", parameters_of_block_wrong_09),
    (checks.parameters_of_block, "the hidden width is not used", parameters_of_block_wrong_10),
    (checks.parameters_of_block, "the rule of thumb", parameters_of_block_wrong_11),
    (checks.parameters_of_block, "hidden_dim taken for a ratio", parameters_of_block_wrong_12),
    (checks.parameters_of_block, "half of the MLP", parameters_of_block_wrong_13),
    (checks.parameters_of_block, "the biases of the MLP", parameters_of_block_wrong_14),
    (checks.parameters_of_block, "the biases of the MLP", parameters_of_block_wrong_15),
    (checks.parameters_of_block, "^ in place of **", parameters_of_block_wrong_16),
    (checks.parameters_of_block, "2 D are missing", parameters_of_block_wrong_17),
    (checks.parameters_of_block, None, parameters_of_block_wrong_18),
    (checks.parameters_of_block, "nothing is returned", parameters_of_block_wrong_19),
    (checks.parameters_of_block, "a norm for each head", parameters_of_block_wrong_20),
    (checks.parameters_of_block, "correct", parameters_of_block_right_01),
    (checks.parameters_of_block, "correct", parameters_of_block_right_02),
    (checks.parameters_of_block, "correct", parameters_of_block_right_03),
    (checks.parameters_of_block, "correct", parameters_of_block_right_04),
    (checks.parameters_of_block, "correct", parameters_of_block_right_05),
    (checks.parameters_of_block, "correct", parameters_of_block_right_06),
    (checks.parameters_of_block, "the ratio of the MLP rounded", parameters_of_block_wrong_21),
]
