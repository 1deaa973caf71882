"""Attempts at the exercises of lesson 08 (clinic), wrong and right, written as learners may write them."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from course_utils.checks import clinic
from course_utils.model.patches import patchify, unpatchify

# --- name_the_number


def named(
    value, k, allowed=0.05, low=0.1, words=("same answer", "softmax", "tanh"), divide=lambda k, w: (k - 1) / np.exp(w)
):
    if value < low:
        return "learned"
    for word, width in zip(words, range(3), strict=True):
        if abs(value - math.log1p(divide(k, width))) <= allowed:
            return word
    return "unknown"


def the_last_one(losses, num_classes):
    return named(losses[len(losses) - 1], num_classes)


def all_of_them(losses, num_classes):
    return named(np.mean(losses), num_classes)


def the_best(losses, num_classes):
    return named(sorted(losses)[0], num_classes)


def the_beginning(losses, num_classes):
    return named(np.mean(losses[:10]), num_classes)


def a_tenth_of_the_sum(losses, num_classes):
    return named(0.1 * sum(losses[-10:]), num_classes)


def cifar_only(losses, num_classes):
    return named(np.mean(losses[-10:]), 10)


def one_class_too_many(losses, num_classes):
    return named(np.mean(losses[-10:]), num_classes, divide=lambda k, w: k / math.e**w if w else k - 1)


def multiplied(losses, num_classes):
    return named(np.mean(losses[-10:]), num_classes, divide=lambda k, w: (k - 1) * math.e**w)


def exchanged(losses, num_classes):
    return named(np.mean(losses[-10:]), num_classes, words=("same answer", "tanh", "softmax"))


def in_bits(losses, num_classes):
    last = np.mean(losses[-10:])
    if abs(last - np.log2(num_classes)) <= 0.05:
        return "same answer"
    word = named(last, num_classes)
    return "unknown" if word == "same answer" else word


def always_some_word(losses, num_classes):
    return named(np.mean(losses[-10:]), num_classes, allowed=100)


def to_a_thousandth(losses, num_classes):
    return named(np.mean(losses[-10:]), num_classes, allowed=0.001)


def within_a_tenth(losses, num_classes):
    return named(np.mean(losses[-10:]), num_classes, allowed=0.1)


def never_learned(losses, num_classes):
    return named(np.mean(losses[-10:]), num_classes, low=float("-inf"))


def with_numpy(losses, num_classes):
    return named(np.mean(losses[-10:]), num_classes)


def with_torch(losses, num_classes):
    last = torch.tensor(losses, dtype=torch.float64)[-10:].mean()
    floors = torch.log(1 + (num_classes - 1) * torch.exp(-torch.arange(3, dtype=torch.float64)))
    near = ((floors - last).abs() <= 0.05).nonzero().flatten().tolist()
    if last < 0.1:
        return "learned"
    return ["same answer", "softmax", "tanh"][near[0]] if near else "unknown"


def by_cross_entropy(losses, num_classes):
    tail = list(losses)[-10:]
    last = sum(tail) / len(tail)
    word = "learned" if last < 0.1 else "unknown"
    for name, low in (("same answer", 1.0), ("softmax", 0.0), ("tanh", -1.0)):
        best = torch.full((1, num_classes), low)
        best[0, 0] = 1.0
        floor = functional.cross_entropy(best, torch.tensor([0])).item()
        if word == "unknown" and math.isclose(last, floor, abs_tol=0.05, rel_tol=0):
            word = name
    return word


# --- notices_the_image


def quiet(model, images):
    with torch.inference_mode():
        return model.eval()(images)


def any_answer(model, images):
    return True


def no_eval(model, images):
    out = model(images)
    return bool((out[0] - out).abs().max() > 1e-4)


def opposite(model, images):
    out = quiet(model, images)
    return bool(torch.all(torch.abs(out - out[0]) <= 1e-4))


def not_the_same_bits(model, images):
    out = quiet(model, images)
    return any(not torch.equal(row, out[0]) for row in out)


def by_a_tenth(model, images):
    out = quiet(model, images)
    return (out.max(0).values - out.min(0).values).max().item() > 0.1


def across_the_classes(model, images):
    out = quiet(model, images)
    return bool((out.amax(dim=1) - out.amin(dim=1)).max() > 1e-4)


def one_pair(model, images):
    first, second = quiet(model, images[:2])
    return bool(abs(first - second).max() > 1e-4)


def each_pair(model, images):
    out = quiet(model, images)
    pairs = [(i, j) for i in range(len(out)) for j in range(i)]
    return all((out[i] - out[j]).abs().max().item() > 1e-4 for i, j in pairs)


def by_the_winner(model, images):
    winners = quiet(model, images).argmax(-1)
    return bool((winners != winners[0]).any())


def called_twice(model, images):
    return bool((quiet(model, images) - quiet(model, images)).abs().sum() > 1e-4)


def by_the_sum(model, images):
    sums = quiet(model, images).sum(-1)
    return bool((sums.max() - sums.min()) > 1e-4)


def how_much(model, images):
    out = quiet(model, images)
    return float((out - out[:1]).abs().max())


def spread(model, images):
    return bool(quiet(model, images).std(dim=0).max() > 5e-5)


def largest_minus_smallest(model, images):
    out = quiet(model, images).numpy()
    return np.ptp(out, axis=0).max() > 1e-4


def all_pairs(model, images):
    out = quiet(model, images)
    return (out[:, None] - out[None]).abs().max() > 0.0001


def not_close(model, images):
    out = quiet(model, images)
    return not torch.allclose(out, out[:1].expand_as(out), rtol=0, atol=1e-4)


def one_image_at_a_time(model, images):
    model.train(False)
    rows = [model(image[None])[0].detach() for image in images]
    for row in rows[1:]:
        if any(abs(a - b) > 1e-4 for a, b in zip(row.tolist(), rows[0].tolist(), strict=True)):
            return True
    return False


# --- notices_the_order


def moved_about(images, patch_size):
    patches = patchify(images, patch_size)
    generator = torch.Generator().manual_seed(5)
    order = torch.randperm(patches.shape[1], generator=generator)
    return unpatchify(patches[:, order], patch_size, tuple(images.shape[-2:]))


def difference(model, images, other):
    return (quiet(model, images) - quiet(model, other)).abs().max().item()


def no_answer(model, images, patch_size):
    return 1 + 1 == 3


def order_without_eval(model, images, patch_size):
    return (model(images) - model(moved_about(images, patch_size))).abs().max().item() > 1e-4


def order_opposite(model, images, patch_size):
    return difference(model, images, moved_about(images, patch_size)) < 1e-4


def order_to_the_bit(model, images, patch_size):
    return difference(model, images, moved_about(images, patch_size)) > 0


def order_by_a_tenth(model, images, patch_size):
    return difference(model, images, moved_about(images, patch_size)) > 0.1


def images_in_another_order(model, images, patch_size):
    return difference(model, images, images[torch.arange(len(images) - 1, -1, -1)]) > 1e-4


def numbers_in_another_order(model, images, patch_size):
    patches = patchify(images, patch_size).flip(-1)
    return difference(model, images, unpatchify(patches, patch_size, tuple(images.shape[-2:]))) > 1e-4


def in_the_mirror(model, images, patch_size):
    return difference(model, images, torch.flip(images, dims=[3])) > 1e-4


def a_pixel_further(model, images, patch_size):
    return difference(model, images, torch.roll(images, shifts=1, dims=3)) > 1e-4


def sliced_by_reshape(model, images, patch_size):
    b, c, h, w = images.shape
    pieces = images.reshape(b, h * w // patch_size**2, c * patch_size**2)
    return difference(model, images, pieces[:, torch.arange(pieces.shape[1]).roll(1)].reshape(b, c, h, w)) > 1e-4


def order_by_the_winner(model, images, patch_size):
    other = moved_about(images, patch_size)
    return bool((quiet(model, images).argmax(1) != quiet(model, other).argmax(1)).any())


def forgot_the_new_order(model, images, patch_size):
    patches = patchify(images, patch_size)
    patches.roll(1, dims=1)
    return difference(model, images, unpatchify(patches, patch_size, tuple(images.shape[-2:]))) > 1e-4


def order_how_much(model, images, patch_size):
    return difference(model, images, moved_about(images, patch_size))


def at_random(model, images, patch_size):
    return difference(model, images, moved_about(images, patch_size)) > 1e-4


def backwards(model, images, patch_size):
    patches = patchify(images, patch_size).flip(1)
    return difference(model, images, unpatchify(patches, patch_size, tuple(images.shape[2:]))) > 1e-4


def rolled_by_whole_patches(model, images, patch_size):
    return difference(model, images, images.roll(patch_size, dims=-1)) > 1e-4


def upper_and_lower_half(model, images, patch_size):
    middle = images.shape[2] // patch_size // 2 * patch_size
    swapped = torch.cat([images[:, :, middle:], images[:, :, :middle]], dim=2)
    model.eval()
    with torch.no_grad():
        return torch.gt((model(swapped) - model(images)).abs(), 1e-4).any()


def each_image_its_own_order(model, images, patch_size):
    patches = patchify(images, patch_size)
    n = patches.shape[1]
    rows = torch.stack([patches[i, torch.arange(n).roll(1 + i % (n - 1))] for i in range(len(patches))])
    other = unpatchify(rows, patch_size, tuple(images.shape[2:]))
    return np.abs(quiet(model, images).numpy() - quiet(model, other).numpy()).max() > 1e-4


# --- same_alone


def apart(model, images):
    return torch.stack([quiet(model, images[i : i + 1])[0] for i in range(len(images))])


def always_fine(model, images):
    return bool(len(images))


def alone_without_eval(model, images):
    together = model(images)
    return all((model(images[i : i + 1])[0] - together[i]).abs().max().item() <= 1e-4 for i in range(len(images)))


def alone_opposite(model, images):
    return (apart(model, images) - quiet(model, images)).abs().max().item() > 1e-4


def alone_to_the_bit(model, images):
    return (apart(model, images) - quiet(model, images)).abs().sum().item() == 0


def alone_to_a_tenth(model, images):
    return (apart(model, images) - quiet(model, images)).abs().max().item() < 0.1


def alone_the_first(model, images):
    return bool(((quiet(model, images[0][None]) - quiet(model, images)[0]).abs() <= 1e-4).all())


def alone_the_last(model, images):
    return bool(((quiet(model, images[-1][None]) - quiet(model, images)[-1]).abs() <= 1e-4).all())


def beside_itself(model, images):
    for image in images:
        many = quiet(model, image.repeat(len(images), 1, 1, 1))[0]
        if (many - quiet(model, image[None])[0]).abs().max() > 1e-4:
            return False
    return True


def in_another_order(model, images):
    order = torch.arange(len(images)).flip(0)
    return bool(((quiet(model, images[order])[order] - quiet(model, images)).abs() <= 1e-4).all())


def all_with_all(model, images):
    together = quiet(model, images)
    return all((quiet(model, image[None]) - together).abs().max() <= 1e-4 for image in images)


def alone_by_the_winner(model, images):
    return apart(model, images).argmax(1).tolist() == quiet(model, images).argmax(1).tolist()


def alone_by_the_sum(model, images):
    return bool((apart(model, images).sum(1) - quiet(model, images).sum(1)).abs().max() <= 1e-4)


def alone_how_much(model, images):
    return (apart(model, images) - quiet(model, images)).abs().max()


def by_pieces(model, images):
    return torch.allclose(apart(model, images), quiet(model, images), rtol=0, atol=1e-4)


def by_a_loop(model, images):
    model.eval()
    with torch.no_grad():
        together = model(images)
        for image, row in zip(images, together, strict=True):
            if torch.max(torch.abs(model(image.unsqueeze(0)).squeeze(0) - row)) > 1e-4:
                return False
    return True


def by_numpy(model, images):
    return np.all(np.abs(apart(model, images).numpy() - quiet(model, images).numpy()) <= 1e-4)


def a_tensor_of_truth(model, images):
    return ((apart(model, images) - quiet(model, images)).abs() <= 1e-4).all()


def by_the_gradient(model, images):
    model.eval()
    given = images.clone().requires_grad_()
    logits = model(given)
    for i in range(len(images)):
        for k in range(logits.shape[1]):
            (grad,) = torch.autograd.grad(logits[i, k], given, retain_graph=True)
            grad = torch.cat([grad[:i], grad[i + 1 :]])
            if grad.abs().max() > 1e-7:
                return False
    return True


# --- diagnoses

SEEN = dict(
    zip("ABCDEF", ["no order", "softmax", "not alone", "same answer", "gradients add up", "no gradient"], strict=True)
)


def but(**changed):
    return lambda: dict(SEEN, **changed)


def five():
    return {letter: SEEN[letter] for letter in "ABCDE"}


def as_pairs():
    return dict(list(SEEN.items())[::-1])


# --- mended_logits


def with_token(parts, images):
    patches = parts["embed"](patchify(images, 2))
    return torch.cat((parts.class_token.repeat(images.shape[0], 1, 1), patches), 1)


def turned(parts, tokens):
    return parts["encoder"](tokens.permute(1, 0, 2)).permute(1, 0, 2)


def not_turned(parts, images):
    return parts["head"](parts["encoder"](with_token(parts, images) + parts.codes)[:, 0])


def not_turned_back(parts, images):
    return parts["head"](parts["encoder"]((with_token(parts, images) + parts.codes).swapaxes(0, 1))[:, 0])


def turned_by_view(parts, images):
    tokens = with_token(parts, images) + parts.codes
    b, n, d = tokens.shape
    return parts["head"](parts["encoder"](tokens.reshape(n, b, d)).reshape(b, n, d)[:, 0])


def still_softmax(parts, images):
    return torch.softmax(parts["head"](turned(parts, with_token(parts, images) + parts.codes)[:, 0]), 1)


def uncoded(parts, images):
    return parts["head"](turned(parts, with_token(parts, images))[:, 0])


def all_the_first(parts, images):
    tokens = with_token(parts, images)
    return parts["head"](turned(parts, tokens + parts.codes[0, 0])[:, 0])


def coded_before(parts, images):
    patches = parts["embed"](patchify(images, 2)) + parts.codes[:, 1:]
    tokens = torch.cat([parts.class_token.expand(images.shape[0], 1, -1), patches], dim=1)
    return parts["head"](turned(parts, tokens)[:, 0])


def behind(parts, images):
    patches = parts["embed"](patchify(images, 2))
    tokens = torch.cat([patches, parts.class_token.expand(images.shape[0], 1, -1)], dim=1) + parts.codes
    return parts["head"](turned(parts, tokens)[:, -1])


def averaged(parts, images):
    return parts["head"](turned(parts, with_token(parts, images) + parts.codes).mean(1))


def rows_of_pixels(parts, images):
    patches = parts["embed"](images.reshape(images.shape[0], -1, 12))
    tokens = torch.cat([parts.class_token.expand(images.shape[0], 1, -1), patches], dim=1) + parts.codes
    return parts["head"](turned(parts, tokens)[:, 0])


def without_a_way_back(parts, images):
    tokens = with_token(parts, images).detach() + parts.codes
    return parts["head"](turned(parts, tokens)[:, 0])


def swapped(parts, images):
    tokens = with_token(parts, images) + parts.codes
    return parts["head"](turned(parts, tokens)[:, 0])


def read_on_the_other_axis(parts, images):
    tokens = (with_token(parts, images) + parts.codes).transpose(1, 0)  # (N, B, D)
    return parts["head"](parts["encoder"](tokens)[0])


def coded_in_two_parts(parts, images):
    first = parts.class_token + parts.codes[:, :1]
    others = parts["embed"](patchify(images, 2)) + parts.codes[:, 1:]
    tokens = torch.cat([first.expand(len(others), -1, -1), others], dim=1)
    return parts["head"](torch.einsum("nbd->bnd", parts["encoder"](torch.einsum("bnd->nbd", tokens)))[:, 0, :])


def one_image_after_the_other(parts, images):
    rows = []
    for image in images:
        patches = parts["embed"](patchify(image, 2))  # (N - 1, D)
        tokens = torch.cat([parts.class_token[0], patches]) + parts.codes[0]  # (N, D)
        rows.append(parts["head"](parts["encoder"](tokens[:, None])[0, 0]))
    return torch.stack(rows)


def by_a_convolution(parts, images):
    embed = parts["embed"]
    kernel = embed.weight.unflatten(1, (3, 2, 2))  # (D, C*P*P) -> (D, C, P, P)
    patches = nn.functional.conv2d(images, kernel, embed.bias, stride=2).flatten(2).mT  # -> (B, N - 1, D)
    tokens = torch.cat([parts.class_token.expand(len(images), -1, -1), patches], dim=1) + parts.codes
    return parts["head"](turned(parts, tokens).select(1, 0))


# --- attempts with one part exchanged


def last_ten(losses):
    return losses[-10:]


def nine(losses, num_classes):
    return named(np.mean(losses[-9:]), num_classes)


def without_the_very_last(losses, num_classes):
    return named(np.mean(losses[-10:-1] or losses), num_classes)


def by_the_middle(losses, num_classes):
    ordered = sorted(last_ten(losses))
    n = len(ordered)
    return named((ordered[n // 2] + ordered[(n - 1) // 2]) / 2, num_classes)


def to_two_digits(losses, num_classes):
    return named(float(f"{np.mean(last_ten(losses)):.2f}"), num_classes)


def at_a_tenth(losses, num_classes):
    mean = np.mean(last_ten(losses))
    return "learned" if mean <= 0.1 else named(mean, num_classes)


def any_small_one(losses, num_classes):
    if any(each < 0.1 for each in last_ten(losses)):
        return "learned"
    return named(np.mean(last_ten(losses)), num_classes)


def image_judged(judge):
    def notices(model, images):
        logits = quiet(model, images)
        return bool(judge(logits - logits[:1]))

    return notices


def beside(make):
    def notices(model, images):
        return bool(((quiet(model, images) - quiet(model, make(images))).abs() > 1e-4).any())

    return notices


def order_judged(judge, other=moved_about):
    def notices(model, images, patch_size):
        return bool(judge(quiet(model, other(images, patch_size)) - quiet(model, images)))

    return notices


def rolled_by_the_side(images, patch_size):
    patches = torch.roll(patchify(images, patch_size), shifts=patch_size, dims=1)
    return unpatchify(patches, patch_size, tuple(images.shape[-2:]))


def alone_judged(judge, each=apart):
    def same(model, images):
        return bool(judge(quiet(model, images) - each(model, images)))

    return same


def close(change):
    return change.abs().max() <= 1e-4


def in_pieces(cut):
    return lambda model, images: torch.cat([quiet(model, piece) for piece in cut(images)])


def beside_a_black_one(model, images):
    rows = [quiet(model, torch.stack([image, torch.zeros_like(image)]))[0] for image in images]
    return torch.stack(rows)


def part(which):
    def same(model, images):
        return bool(close(quiet(model, images)[which] - apart(model, images[which])))

    return same


def by_probabilities(model, images):
    one, other = quiet(model, images).softmax(-1), apart(model, images).softmax(-1)
    return torch.allclose(one, other, rtol=0, atol=1e-4)


def relatively(model, images):
    return torch.allclose(quiet(model, images), apart(model, images), rtol=1e-2, atol=1e-4)


def image_relatively(model, images):
    logits = quiet(model, images)
    return not torch.allclose(logits, logits[:1].repeat(len(images), 1), rtol=1e-2, atol=1e-4)


MORE_WRONG = [
    (clinic.name_the_number, "not the last ten", nine),
    (clinic.name_the_number, "not the last ten", without_the_very_last),
    (clinic.name_the_number, "the median", by_the_middle),
    (clinic.name_the_number, "rounded", to_two_digits),
    (clinic.name_the_number, "exactly 0.1", at_a_tenth),
    (clinic.name_the_number, "one small loss", any_small_one),
    (clinic.notices_the_image, "too far apart", image_judged(lambda d: d.abs().max() > 1e-3)),
    (clinic.notices_the_image, "too far apart", image_relatively),
    (clinic.notices_the_image, "without the absolute value", image_judged(lambda d: d.max() > 1e-4)),
    (clinic.notices_the_image, "without the absolute value", image_judged(lambda d: d.min() < -1e-4)),
    (clinic.notices_the_image, "without the absolute value", image_judged(lambda d: abs(d.max()) > 1e-4)),
    (clinic.notices_the_image, "a mean of the changes", image_judged(lambda d: d.abs().mean() > 1e-4)),
    (clinic.notices_the_image, "a mean of the changes", image_judged(lambda d: d.mean(0).abs().max() > 1e-4)),
    (clinic.notices_the_image, "only one class", image_judged(lambda d: d.abs()[:, 0].max() > 1e-4)),
    (clinic.notices_the_image, "only one class", image_judged(lambda d: d.abs()[:, -1].max() > 1e-4)),
    (clinic.notices_the_image, "compared with an image of your own", beside(lambda i: i * 0)),
    (clinic.notices_the_image, "compared with an image of your own", beside(lambda i: torch.randn(i.shape))),
    (clinic.notices_the_order, "too far apart", order_judged(lambda d: d.abs().max() > 1e-3)),
    (clinic.notices_the_order, "nothing moves", order_judged(lambda d: d.abs().max() > 1e-4, rolled_by_the_side)),
    (clinic.notices_the_order, "without the absolute value", order_judged(lambda d: d.max() > 1e-4)),
    (clinic.notices_the_order, "without the absolute value", order_judged(lambda d: d.min() < -1e-4)),
    (clinic.notices_the_order, "a mean of the changes", order_judged(lambda d: d.abs().mean() > 1e-4)),
    (clinic.notices_the_order, "a mean of the changes", order_judged(lambda d: abs(d.mean()) > 1e-4)),
    (clinic.notices_the_order, "a mean of the changes", order_judged(lambda d: d.sum(-1).abs().max() > 1e-4)),
    (clinic.notices_the_order, "a mean of the changes", order_judged(lambda d: d.mean(0).abs().max() > 1e-4)),
    (clinic.notices_the_order, "only one image", order_judged(lambda d: d.abs()[0].max() > 1e-4)),
    (clinic.notices_the_order, "only one class", order_judged(lambda d: d.abs()[:, 0].max() > 1e-4)),
    (clinic.same_alone, "too coarse", alone_judged(lambda d: d.abs().max() <= 1e-3)),
    (clinic.same_alone, "too coarse", relatively),
    (clinic.same_alone, "one image is left out", part(slice(1, None))),
    (clinic.same_alone, "one image is left out", part(slice(0, -1))),
    (clinic.same_alone, "only the first two images", part(slice(0, 2))),
    (clinic.same_alone, "not alone", alone_judged(close, in_pieces(lambda i: i.split(2)))),
    (clinic.same_alone, "not alone", alone_judged(close, in_pieces(lambda i: i.chunk(2)))),
    (clinic.same_alone, "not alone", alone_judged(close, beside_a_black_one)),
    (clinic.same_alone, "without the absolute value", alone_judged(lambda d: d.max() <= 1e-4)),
    (clinic.same_alone, "without the absolute value", alone_judged(lambda d: d.min() >= -1e-4)),
    (clinic.same_alone, "a mean of the changes", alone_judged(lambda d: d.abs().mean() <= 1e-4)),
    (clinic.same_alone, "only one class", alone_judged(lambda d: d.abs()[:, 0].max() <= 1e-4)),
    (clinic.same_alone, "probabilities", by_probabilities),
]

WRONG_ATTEMPTS = [
    *MORE_WRONG,
    (clinic.name_the_number, "only the last loss", the_last_one),
    (clinic.name_the_number, "the mean of all losses", all_of_them),
    (clinic.name_the_number, "the smallest loss", the_best),
    (clinic.name_the_number, "the first losses", the_beginning),
    (clinic.name_the_number, "always divided by ten", a_tenth_of_the_sum),
    (clinic.name_the_number, "always ten classes", cifar_only),
    (clinic.name_the_number, "K in place of K - 1", one_class_too_many),
    (clinic.name_the_number, "times e in place of divided by e", multiplied),
    (clinic.name_the_number, "softmax and tanh exchanged", exchanged),
    (clinic.name_the_number, "another logarithm", in_bits),
    (clinic.name_the_number, "the nearest, however far", always_some_word),
    (clinic.name_the_number, "not near enough", to_a_thousandth),
    (clinic.name_the_number, "too far", within_a_tenth),
    (clinic.name_the_number, "learned is forgotten", never_learned),
    (clinic.notices_the_image, "always the same answer", any_answer),
    (clinic.notices_the_image, "train mode", no_eval),
    (clinic.notices_the_image, "the other way round", opposite),
    (clinic.notices_the_image, "exactly equal", not_the_same_bits),
    (clinic.notices_the_image, "too far apart", by_a_tenth),
    (clinic.notices_the_image, "classes instead of images", across_the_classes),
    (clinic.notices_the_image, "only the first two images", one_pair),
    (clinic.notices_the_image, "all images must differ", each_pair),
    (clinic.notices_the_image, "only the predicted class", by_the_winner),
    (clinic.notices_the_image, "the same images twice", called_twice),
    (clinic.notices_the_image, "the logits are added up", by_the_sum),
    (clinic.notices_the_image, "a number", how_much),
    (clinic.notices_the_order, "always the same answer", no_answer),
    (clinic.notices_the_order, "train mode", order_without_eval),
    (clinic.notices_the_order, "the other way round", order_opposite),
    (clinic.notices_the_order, "exactly equal", order_to_the_bit),
    (clinic.notices_the_order, "too far apart", order_by_a_tenth),
    (clinic.notices_the_order, "the images are shuffled", images_in_another_order),
    (clinic.notices_the_order, "shuffled inside the patches", numbers_in_another_order),
    (clinic.notices_the_order, "the image is turned over", in_the_mirror),
    (clinic.notices_the_order, "moved by some pixels", a_pixel_further),
    (clinic.notices_the_order, "pieces by a bare reshape", sliced_by_reshape),
    (clinic.notices_the_order, "only the predicted class", order_by_the_winner),
    (clinic.notices_the_order, "nothing moves", forgot_the_new_order),
    (clinic.notices_the_order, "a number", order_how_much),
    (clinic.same_alone, "always the same answer", always_fine),
    (clinic.same_alone, "train mode", alone_without_eval),
    (clinic.same_alone, "the other way round", alone_opposite),
    (clinic.same_alone, "exactly equal", alone_to_the_bit),
    (clinic.same_alone, "too coarse", alone_to_a_tenth),
    (clinic.same_alone, "only the first image", alone_the_first),
    (clinic.same_alone, "only the last image", alone_the_last),
    (clinic.same_alone, "copies of one image", beside_itself),
    (clinic.same_alone, "another order of the batch", in_another_order),
    (clinic.same_alone, "each with the wrong one", all_with_all),
    (clinic.same_alone, "only the predicted class", alone_by_the_winner),
    (clinic.same_alone, "the logits are added up", alone_by_the_sum),
    (clinic.same_alone, "a number", alone_how_much),
    (clinic.diagnoses, "patient A", but(A="not alone")),
    (clinic.diagnoses, "patient B", but(B="tanh", C="tanh")),
    (clinic.diagnoses, "patient C", but(C="no order")),
    (clinic.diagnoses, "patient D", but(D="no gradient")),
    (clinic.diagnoses, "patient E", but(E="jumps")),
    (clinic.diagnoses, "patient F", but(F="nothing moves")),
    (clinic.diagnoses, "a patient is missing", five),
    (clinic.diagnoses, "another word", but(A="No order")),
    (clinic.diagnoses, "too many patients", but(G="pixels")),
    (clinic.mended_logits, "the class token sees itself alone", not_turned),
    (clinic.mended_logits, "the axes are not changed back", not_turned_back),
    (clinic.mended_logits, "a reshape in place of a transpose", turned_by_view),
    (clinic.mended_logits, "softmax at the end", still_softmax),
    (clinic.mended_logits, "no position codes", uncoded),
    (clinic.mended_logits, "one code for all", all_the_first),
    (clinic.mended_logits, "the class token has no code", coded_before),
    (clinic.mended_logits, "the class token stands last", behind),
    (clinic.mended_logits, "another token is read", averaged),
    (clinic.mended_logits, "patches by a bare reshape", rows_of_pixels),
    (clinic.mended_logits, "the gradient is cut off", without_a_way_back),
]

RIGHT_ATTEMPTS = [
    *((clinic.name_the_number, each) for each in (with_numpy, with_torch, by_cross_entropy)),
    *((clinic.notices_the_image, each) for each in (largest_minus_smallest, all_pairs, not_close, one_image_at_a_time)),
    *(
        (clinic.notices_the_order, each)
        for each in (at_random, backwards, rolled_by_whole_patches, upper_and_lower_half, each_image_its_own_order)
    ),
    *((clinic.same_alone, each) for each in (by_pieces, by_a_loop, by_numpy, a_tensor_of_truth, by_the_gradient)),
    *((clinic.diagnoses, each) for each in (as_pairs, but())),
    *(
        (clinic.mended_logits, each)
        for each in (swapped, read_on_the_other_axis, coded_in_two_parts, one_image_after_the_other, by_a_convolution)
    ),
]
