"""Attempts at the exercises of lesson 13 (masked), wrong and right, written as learners may write them."""

import torch
import torch.nn.functional as F

from course_utils.beyond import masked
from course_utils.checks.masked import encode_visible, keep_visible, masked_loss, put_back

# ---- keep_visible


def kept_by_loops(tokens, order, visible):
    rows = [
        torch.stack([image[int(place)] for place in its[:visible]]) for image, its in zip(tokens, order, strict=True)
    ]
    return torch.stack(rows)


def kept_by_gather(tokens, order, visible):
    index = order[:, :visible].unsqueeze(-1).repeat(1, 1, tokens.size(2))
    return torch.gather(tokens, 1, index)


def kept_by_batch_index(tokens, order, visible):
    return tokens[torch.arange(len(tokens)).unsqueeze(1), order[:, :visible]]


def kept_by_take_along_dim(tokens, order, visible):
    return torch.take_along_dim(tokens, order[..., None], dim=1)[:, :visible]


def kept_by_one_hot(tokens, order, visible):
    return F.one_hot(order[:, :visible], tokens.shape[1]).to(tokens.dtype) @ tokens


def kept_by_flat_index(tokens, order, visible):
    b, n, d = tokens.shape
    flat = (torch.arange(b)[:, None] * n + order[:, :visible]).flatten()
    return tokens.reshape(b * n, d).index_select(0, flat).reshape(b, visible, d)


def kept_image_by_image(tokens, order, visible):
    return torch.stack([tokens[b, order[b, :visible]] for b in range(len(tokens))])


def kept_of_first_order(tokens, order, visible):
    return tokens.index_select(1, order[0][:visible])


def kept_from_the_left(tokens, order, visible):
    return tokens.narrow(1, 0, visible)


def kept_the_rest(tokens, order, visible):
    return kept_image_by_image(tokens, order[:, visible:], order.shape[1])


def kept_all(tokens, order, visible):
    return kept_image_by_image(tokens, order, order.shape[1])


def kept_as_zeros(tokens, order, visible):
    hidden = torch.ones(tokens.shape[:2], dtype=torch.bool)
    for row, its in enumerate(order):
        hidden[row, its[:visible]] = False
    return torch.where(hidden[..., None], torch.zeros_like(tokens), tokens)


def kept_by_a_mask(tokens, order, visible):
    mask = torch.zeros(order.shape, dtype=torch.bool).scatter(1, order[:, :visible], True)
    return tokens[mask].view(len(tokens), visible, -1)


def kept_by_ranks(tokens, order, visible):
    return kept_by_gather(tokens, torch.argsort(order, dim=-1), visible)


def kept_below(tokens, order, visible):
    return torch.stack([image[its < visible] for image, its in zip(tokens, order, strict=True)])


def kept_from_first_image(tokens, order, visible):
    return tokens[0][order][:, :visible]


def kept_all_pairs(tokens, order, visible):
    return tokens[:, order][:, :, :visible]


def kept_one_column(tokens, order, visible):
    return torch.gather(tokens, 1, order[:, :visible].unsqueeze(2))


def kept_one_more(tokens, order, visible):
    return kept_image_by_image(tokens, order, visible + 1)


# ---- put_back


def with_masks(seen, mask_token, order):
    missing = order.shape[1] - seen.shape[1]
    return torch.cat((seen, mask_token.reshape(1, 1, -1).repeat(len(seen), missing, 1)), 1)


def back_by_gather(seen, mask_token, order):
    index = torch.argsort(order, dim=1)[..., None].expand(-1, -1, seen.shape[-1])
    return torch.gather(with_masks(seen, mask_token, order), 1, index)


def back_by_scatter(seen, mask_token, order):
    b, m, d = seen.shape
    all_masks = mask_token.expand(b, order.shape[1], d)
    return all_masks.scatter(1, order[:, :m, None].expand(b, m, d), seen)


def back_by_writing(seen, mask_token, order):
    result = mask_token.repeat(order.shape[0], order.shape[1], 1)
    result[torch.arange(len(order))[:, None], order[:, : seen.shape[1]]] = seen
    return result


def back_by_loops(seen, mask_token, order):
    images = []
    for b in range(len(order)):
        row = [mask_token] * order.shape[1]
        for i in range(seen.shape[1]):
            row[order[b, i]] = seen[b, i]
        images.append(torch.stack(row))
    return torch.stack(images)


def back_by_searching(seen, mask_token, order):
    shuffled = with_masks(seen, mask_token, order)
    images = []
    for image, its in zip(shuffled, order.tolist(), strict=True):
        images.append(torch.stack([image[its.index(patch)] for patch in range(len(its))]))
    return torch.stack(images)


def back_by_scattered_numbers(seen, mask_token, order):
    numbers = torch.arange(order.shape[1]).expand_as(order)
    inverse = torch.empty_like(order).scatter_(1, order, numbers)
    return torch.take_along_dim(with_masks(seen, mask_token, order), inverse[..., None], 1)


def back_by_one_hot(seen, mask_token, order):
    where = F.one_hot(order, order.shape[1]).to(seen.dtype)  # (B, place in the order, patch)
    return torch.einsum("bip,bid->bpd", where, with_masks(seen, mask_token, order))


def back_without_undoing(seen, mask_token, order):
    return with_masks(seen, mask_token, order)


def back_shuffled_again(seen, mask_token, order):
    shuffled = with_masks(seen, mask_token, order)
    return torch.stack([image[its] for image, its in zip(shuffled, order, strict=True)])


def back_from_the_end(seen, mask_token, order):
    return back_shuffled_again(seen, mask_token, order.fliplr())


def back_by_first_order(seen, mask_token, order):
    return with_masks(seen, mask_token, order)[:, order[0].argsort()]


def back_masks_first(seen, mask_token, order):
    both = with_masks(seen, mask_token, order).roll(order.shape[1] - seen.shape[1], 1)
    return torch.take_along_dim(both, order.argsort(1)[..., None], 1)


def back_with_zeros(seen, mask_token, order):
    b, m, d = seen.shape
    return seen.new_zeros(b, order.shape[1], d).scatter(1, order[:, :m, None].expand(b, m, d), seen)


def back_with_sum(seen, mask_token, order):
    return back_with_zeros(seen, mask_token, order) + mask_token


def back_without_masks(seen, mask_token, order):
    places = order[:, : seen.shape[1]].argsort(1)
    return torch.stack([image[its] for image, its in zip(seen, places, strict=True)])


def back_from_left_to_right(seen, mask_token, order):
    visible = seen.shape[1]
    mask = torch.zeros(order.shape, dtype=torch.bool).scatter(1, order[:, :visible], True)
    result = mask_token.repeat(*order.shape, 1)
    result[mask] = seen.flatten(0, 1)
    return result


def back_all_pairs(seen, mask_token, order):
    return with_masks(seen, mask_token, order)[:, order.argsort(dim=-1)]


def back_one_column(seen, mask_token, order):
    return torch.take_along_dim(with_masks(seen, mask_token, order)[..., :1], order.argsort(1)[..., None], 1)


def back_only_masks(seen, mask_token, order):
    return mask_token.repeat(*order.shape, 1)


# ---- masked_loss


def loss_by_index(predicted, targets, hidden):
    return F.mse_loss(predicted[hidden], targets[hidden])


def loss_by_weights(predicted, targets, hidden):
    errors = ((predicted - targets) ** 2).mean(dim=2)
    return (errors * hidden.to(errors.dtype)).sum() / hidden.sum()


def loss_by_loops(predicted, targets, hidden):
    errors = []
    for b in range(predicted.shape[0]):
        for n in range(predicted.shape[1]):
            if hidden[b, n]:
                errors.append(((predicted[b, n] - targets[b, n]) ** 2).mean())
    return torch.stack(errors).mean()


def loss_image_by_image(predicted, targets, hidden):
    each = [((p - t)[h] ** 2).mean() for p, t, h in zip(predicted, targets, hidden, strict=True)]
    return sum(each) / len(each)


def loss_with_where(predicted, targets, hidden):
    errors = torch.where(hidden[..., None], predicted - targets, 0.0).pow(2)
    return errors.sum() / (hidden.sum() * predicted.shape[-1])


def loss_with_masked_select(predicted, targets, hidden):
    return (predicted - targets).masked_select(hidden.unsqueeze(-1)).square().mean()


def loss_without_reduction(predicted, targets, hidden):
    return F.mse_loss(predicted, targets, reduction="none").mean(-1)[hidden].mean()


def loss_with_einsum(predicted, targets, hidden):
    difference = (predicted - targets)[hidden]
    return torch.einsum("np,np->", difference, difference) / difference.numel()


def loss_per_image(predicted, targets, hidden):
    return torch.stack([F.mse_loss(p[h], t[h]) for p, t, h in zip(predicted, targets, hidden, strict=True)])


# ---- encode_visible


def rows(tokens, order, visible):
    return torch.stack([image[its[:visible]] for image, its in zip(tokens, order, strict=True)])


def encoded(patches, order, visible, project, positions, blocks):
    return blocks(rows(project(patches) + positions, order, visible))


def encoded_with_own_codes(patches, order, visible, project, positions, blocks):
    """The codes are taken as the patches are."""
    return blocks(project(rows(patches, order, visible)) + positions[order[:, :visible]])


def encoded_by_concatenation(patches, order, visible, project, positions, blocks):
    tokens = project(patches) + positions.unsqueeze(0)
    return blocks(torch.gather(tokens, 1, order[:, :visible, None].expand(-1, -1, tokens.shape[-1])))


def encoded_image_by_image(patches, order, visible, project, positions, blocks):
    each = [blocks((project(p) + positions)[o[:visible]][None]) for p, o in zip(patches, order, strict=True)]
    return torch.cat(each)


def encoded_with_late_codes(patches, order, visible, project, positions, blocks):
    x = project(rows(patches, order, visible))
    return blocks(x + positions[: x.shape[1]])


def encoded_without_codes(patches, order, visible, project, positions, blocks):
    return blocks(project(rows(patches, order, visible)))


def encoded_with_a_leak(patches, order, visible, project, positions, blocks):
    return rows(blocks(project(patches) + positions), order, visible)


def encoded_all(patches, order, visible, project, positions, blocks):
    return blocks(positions + project(patches))


def encoded_zeros(patches, order, visible, project, positions, blocks):
    keep = torch.zeros(order.shape).scatter(1, order[:, :visible], 1.0).to(patches.dtype)
    return rows(blocks((project(patches) + positions) * keep[..., None]), order, visible)


def encoded_black_patches(patches, order, visible, project, positions, blocks):
    keep = torch.zeros(order.shape).scatter(1, order[:, :visible], 1.0).to(patches.dtype)
    return blocks(project(patches * keep[..., None]) + positions)


def encoded_the_rest(patches, order, visible, project, positions, blocks):
    return blocks(rows(project(patches) + positions, order[:, visible:], None))


def encoded_by_one_order(patches, order, visible, project, positions, blocks):
    return blocks((project(patches) + positions).index_select(1, order[0, :visible]))


def encoded_from_the_left(patches, order, visible, project, positions, blocks):
    return blocks(project(patches[:, :visible]) + positions[:visible])


def encoded_with_inverse_codes(patches, order, visible, project, positions, blocks):
    return blocks(project(rows(patches, order, visible)) + positions[order.argsort(1)[:, :visible]])


def encoded_in_image_order(patches, order, visible, project, positions, blocks):
    return blocks(rows(project(patches) + positions, order[:, :visible].sort(1)[0], visible))


def encoded_by_ranks(patches, order, visible, project, positions, blocks):
    return blocks(rows(project(patches) + positions, order.argsort(1), visible))


def encoded_without_blocks(patches, order, visible, project, positions, blocks):
    return rows(project(patches), order, visible) + positions[order[:, :visible]]


def encoded_with_two_codes(patches, order, visible, project, positions, blocks):
    return blocks(rows(project(patches) + positions, order, visible) + positions[order[:, :visible]])


def encoded_with_codes_at_the_end(patches, order, visible, project, positions, blocks):
    return positions[order[:, :visible]] + blocks(rows(project(patches), order, visible))


WRONG_ATTEMPTS = [
    (keep_visible, "one mask for the whole batch", kept_of_first_order),
    (keep_visible, "the first patches of the image", kept_from_the_left),
    (keep_visible, "the hidden patches kept", kept_the_rest),
    (keep_visible, "nothing taken away", kept_all),
    (keep_visible, "hidden patches set to zero", kept_as_zeros),
    (keep_visible, "sorted by place", kept_by_a_mask),
    (keep_visible, "place and number exchanged", kept_by_ranks),
    (keep_visible, "place and number exchanged", kept_below),
    (keep_visible, "tokens of one image for all", kept_from_first_image),
    (keep_visible, "every image with every order", kept_all_pairs),
    (keep_visible, "one number of each token", kept_one_column),
    (keep_visible, "one patch too many or too few", kept_one_more),
    (keep_visible, "no gradient", lambda t, o, v: torch.tensor(kept_by_loops(t, o, v).tolist()).to(t.dtype)),
    (keep_visible, "a ready-made function", lambda t, o, v: masked.take(t, o[:, :v])),
    (keep_visible, "another type of number", lambda t, o, v: kept_by_gather(t, o, v).float()),
    (put_back, "the order not undone", back_without_undoing),
    (put_back, "shuffled once more", back_shuffled_again),
    (put_back, "read from the end", back_from_the_end),
    (put_back, "one order for the whole batch", back_by_first_order),
    (put_back, "mask tokens before the seen ones", back_masks_first),
    (put_back, "zeros in place of the mask token", back_with_zeros),
    (put_back, "the mask token added to all", back_with_sum),
    (put_back, "hidden places left out", back_without_masks),
    (put_back, "seen tokens in raster order", back_from_left_to_right),
    (put_back, "every image with every order", back_all_pairs),
    (put_back, "one number of each token", back_one_column),
    (put_back, "all hidden", back_only_masks),
    (put_back, "no gradient", lambda s, m, o: back_by_scatter(s, m.detach(), o)),
    (put_back, "no gradient", lambda s, m, o: back_by_writing(s.data, m, o)),
    (masked_loss, "the loss on all patches", lambda p, t, h: F.mse_loss(p, t)),
    (masked_loss, "the loss on seen patches", lambda p, t, h: F.mse_loss(p[~h], t[~h])),
    (masked_loss, "divided by all patches", lambda p, t, h: F.mse_loss(p * h[..., None], t * h[..., None])),
    (masked_loss, "summed over the pixels", lambda p, t, h: ((p - t)[h] ** 2).sum(-1).mean()),
    (masked_loss, "a sum in place of the mean", lambda p, t, h: F.mse_loss(p[h], t[h], reduction="sum")),
    (masked_loss, "not squared", lambda p, t, h: F.l1_loss(p[h], t[h])),
    (masked_loss, "a root too many", lambda p, t, h: loss_by_index(p, t, h) ** 0.5),
    (masked_loss, "one loss for each image", loss_per_image),
    (masked_loss, "one loss for each patch", lambda p, t, h: F.mse_loss(p, t, reduction="none").mean(2) * h),
    (masked_loss, "a sum over the images", lambda p, t, h: loss_per_image(p, t, h).sum()),
    (masked_loss, "the target forgotten", lambda p, t, h: p[h].pow(2).mean()),
    (masked_loss, "the mean before the square", lambda p, t, h: F.mse_loss(p.mean(-1)[h], t.mean(-1)[h])),
    (masked_loss, "a plain number", lambda p, t, h: loss_by_index(p, t, h).item()),
    (masked_loss, "no gradient", lambda p, t, h: loss_by_index(p.detach(), t, h)),
    (masked_loss, "a ready-made function", lambda p, t, h: masked.masked_loss(p, t, h)),
    (encode_visible, "positions after patches were taken away", encoded_with_late_codes),
    (encode_visible, "no positions", encoded_without_codes),
    (encode_visible, "the encoder sees all", encoded_with_a_leak),
    (encode_visible, "nothing taken away", encoded_all),
    (encode_visible, "hidden patches set to zero", encoded_zeros),
    (encode_visible, "hidden patches set to zero", encoded_black_patches),
    (encode_visible, "the hidden patches kept", encoded_the_rest),
    (encode_visible, "one mask for the whole batch", encoded_by_one_order),
    (encode_visible, "the first patches of the image", encoded_from_the_left),
    (encode_visible, "codes of other places", encoded_with_inverse_codes),
    (encode_visible, "sorted by place", encoded_in_image_order),
    (encode_visible, "place and number exchanged", encoded_by_ranks),
    (encode_visible, "blocks left out", encoded_without_blocks),
    (encode_visible, "positions added twice", encoded_with_two_codes),
    (encode_visible, "positions after the blocks", encoded_with_codes_at_the_end),
    (encode_visible, "no gradient", lambda p, *rest: encoded(p.detach(), *rest)),
]
RIGHT_ATTEMPTS = [
    (keep_visible, kept_by_loops),
    (keep_visible, kept_by_gather),
    (keep_visible, kept_by_batch_index),
    (keep_visible, kept_by_take_along_dim),
    (keep_visible, kept_by_one_hot),
    (keep_visible, kept_by_flat_index),
    (keep_visible, kept_image_by_image),
    (put_back, back_by_gather),
    (put_back, back_by_scatter),
    (put_back, back_by_writing),
    (put_back, back_by_loops),
    (put_back, back_by_searching),
    (put_back, back_by_scattered_numbers),
    (put_back, back_by_one_hot),
    (masked_loss, loss_by_index),
    (masked_loss, loss_by_weights),
    (masked_loss, loss_by_loops),
    (masked_loss, loss_image_by_image),
    (masked_loss, loss_with_where),
    (masked_loss, loss_with_masked_select),
    (masked_loss, loss_without_reduction),
    (masked_loss, loss_with_einsum),
    (encode_visible, encoded),
    (encode_visible, encoded_with_own_codes),
    (encode_visible, encoded_by_concatenation),
    (encode_visible, encoded_image_by_image),
]
