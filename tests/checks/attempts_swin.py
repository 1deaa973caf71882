"""Attempts at the exercises of lesson 15 (swin), wrong and right, written as learners may write them."""

import itertools

import torch
import torch.nn.functional as F

from course_utils.beyond import swin
from course_utils.checks.swin import merge_patches, shift_mask, shifted_windows, to_windows

# ---- to_windows


def tiles(places, w):
    """Each window as a small map (B, w, w, D), in order."""
    h, v = places.shape[1:3]
    corners = itertools.product(range(0, h, w), range(0, v, w))
    return [places[:, top : top + w, left : left + w] for top, left in corners]


def windows_by_loops(places, w):
    return torch.stack([tile.flatten(1, 2) for tile in tiles(places, w)], dim=1)


def windows_by_unfold(places, w):
    x = places.unfold(1, w, w).unfold(2, w, w)  # (B, H/w, W/w, D, w, w)
    return x.permute(0, 1, 2, 4, 5, 3).reshape(len(places), -1, w * w, places.shape[-1])


def windows_by_einsum(places, w):
    b, h, v, d = places.shape
    x = places.view(b, h // w, w, v // w, w, d)
    return torch.einsum("bhiwjd->bhwijd", x).reshape(b, h * v // w**2, w**2, d)


def windows_by_nn_unfold(places, w):
    d = places.shape[-1]
    x = F.unfold(places.permute(0, 3, 1, 2), w, stride=w)  # (B, D*w*w, windows)
    return x.unflatten(1, (d, w * w)).permute(0, 3, 2, 1)


def windows_by_chunks(places, w):
    rows = [strip for strip in places.split(w, dim=1)]
    found = [tile.reshape(len(places), w * w, -1) for strip in rows for tile in strip.split(w, dim=2)]
    return torch.stack(found, 1)


def windows_by_index(places, w):
    h, v = places.shape[1:3]
    number = torch.arange(h * v).view(h, v)
    index = torch.cat([tile.reshape(1, -1) for strip in number.split(w) for tile in strip.split(w, dim=1)])
    return places.flatten(1, 2)[:, index]


def windows_in_memory_order(places, w):
    return places.contiguous().view(places.shape[0], places.shape[1] * places.shape[2] // w**2, w**2, -1)


def windows_down_first(places, w):
    h, v = places.shape[1:3]
    corners = itertools.product(range(0, v, w), range(0, h, w))
    return torch.stack([places[:, top : top + w, left : left + w].flatten(1, 2) for left, top in corners], 1)


def windows_mirrored(places, w):
    return torch.stack([tile.transpose(1, 2).flatten(1, 2) for tile in tiles(places, w)], 1)


def windows_of_far_places(places, w):
    h, v = places.shape[1] // w, places.shape[2] // w
    pairs = itertools.product(range(h), range(v))
    return torch.stack([places[:, i::h, j::v].flatten(1, 2) for i, j in pairs], 1)


def windows_as_maps(places, w):
    return torch.stack(tiles(places, w), 1)


def windows_in_a_grid(places, w):
    x = windows_by_loops(places, w)
    return x.unflatten(1, (places.shape[1] // w, places.shape[2] // w))


def windows_of_all_images(places, w):
    return torch.cat([windows_by_loops(place[None], w)[0] for place in places])


def windows_first(places, w):
    return torch.stack([tile.flatten(1, 2) for tile in tiles(places, w)])


def windows_with_channels_first(places, w):
    return torch.stack([tile.flatten(1, 2).permute(0, 2, 1) for tile in tiles(places, w)], 1)


def strips(places, w):
    return torch.stack([strip.flatten(1, 2) for strip in places.split(w, dim=1)], 1)


# ---- shift_mask


def mask_by_comparing_in_loops(size, window_size, shift):
    (h, v), w = size, window_size
    kind = [[(i >= h - shift[0], j >= v - shift[1]) for j in range(v)] for i in range(h)]
    result = []
    for top, left in itertools.product(range(0, h, w), range(0, v, w)):
        inside = [kind[top + i][left + j] for i in range(w) for j in range(w)]
        result.append([[0.0 if a == b else -100.0 for b in inside] for a in inside])
    return torch.tensor(result)


def mask_by_slices(size, window_size, shift):
    """As the authors' code numbers the regions."""
    image = torch.zeros(1, *size, 1)
    parts = [(slice(0, -window_size), slice(-window_size, -by), slice(-by, None)) for by in shift]
    for count, (rows, columns) in enumerate(itertools.product(*parts)):
        image[:, rows, columns] = count
    found = swin.to_windows(image, window_size).squeeze(-1).squeeze(0)
    difference = found[:, None, :] - found[:, :, None]
    return difference.masked_fill(difference != 0, -100.0).masked_fill(difference == 0, 0.0)


def mask_by_where(size, window_size, shift):
    rows = (torch.arange(size[0]) >= size[0] - shift[0]).int() * 2
    columns = (torch.arange(size[1]) >= size[1] - shift[1]).int()
    found = windows_by_loops((rows[:, None] + columns)[None, ..., None], window_size)[0, ..., 0]
    return torch.where(found[:, :, None] == found[:, None], 0.0, -100.0)


def mask_by_one_hot(size, window_size, shift):
    region = torch.zeros(size, dtype=torch.int64)
    region[size[0] - shift[0] :] += 1
    region[:, size[1] - shift[1] :] += 2
    hot = F.one_hot(region, 4).float()  # (H, W, 4)
    windows = windows_by_einsum(hot[None], window_size)[0]  # (windows, M, 4)
    return -100 * (1 - windows @ windows.mT)


def mask_by_rolling(size, window_size, shift):
    """Windows of the map as it was say who belongs to whom: numbers are neighbours' coordinates."""
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    places = torch.stack([y, x], -1).roll((-shift[0], -shift[1]), (0, 1))
    found = windows_by_chunks(places[None], window_size)[0]  # (windows, M, 2)
    far = (found[:, :, None] - found[:, None]).abs().amax(-1) >= window_size
    return far * -100.0


def mask_in_float64(size, window_size, shift):
    return mask_by_where(size, window_size, shift).double()


def region_numbers(size, shift):
    rows = (torch.arange(size[0]) >= size[0] - shift[0]).long()
    columns = (torch.arange(size[1]) >= size[1] - shift[1]).long()
    return rows, columns


def compared(region, w):
    found = windows_by_loops(region[None, ..., None], w)[0, ..., 0]
    return (found.unsqueeze(1) != found.unsqueeze(2)).float().mul(-100)


def mask_open_everywhere(size, window_size, shift):
    m = window_size**2
    return torch.zeros(size[0] * size[1] // m, m, m)


def mask_the_wrong_way(size, window_size, shift):
    return -100 - mask_by_where(size, window_size, shift)


def mask_of_truth(size, window_size, shift):
    return mask_by_where(size, window_size, shift) < 0


def mask_of_ones(size, window_size, shift):
    return 1.0 * (mask_by_where(size, window_size, shift) == 0)


def mask_of_infinity(size, window_size, shift):
    mask = mask_by_where(size, window_size, shift)
    mask[mask < 0] = -float("inf")
    return mask


def mask_of_plus(size, window_size, shift):
    return mask_by_where(size, window_size, shift).abs()


def mask_of_rows(size, window_size, shift):
    rows, columns = region_numbers(size, shift)
    return compared(rows[:, None] + 0 * columns, window_size)


def mask_of_two_kinds(size, window_size, shift):
    rows, columns = region_numbers(size, shift)
    return compared((rows[:, None] | columns), window_size)


def mask_from_the_front(size, window_size, shift):
    region = torch.zeros(size)
    region[: shift[0]] += 1
    region[:, : shift[1]] += 2
    return compared(region, window_size)


def mask_of_the_other_part(size, window_size, shift):
    return compared(sum(region_numbers_scaled(size, [window_size - by for by in shift])), window_size)


def region_numbers_scaled(size, shift):
    rows, columns = region_numbers(size, shift)
    return 7 * rows[:, None], columns[None]


def mask_with_shifts_exchanged(size, window_size, shift):
    return mask_by_where(size, window_size, (shift[1], shift[0]))


def mask_with_one_shift(size, window_size, shift):
    return mask_by_where(size, window_size, (shift[0],) * 2)


def mask_with_sides_exchanged(size, window_size, shift):
    return mask_by_where((size[1], size[0]), window_size, shift)


def mask_by_reshape(size, window_size, shift):
    region = sum(region_numbers_scaled(size, shift)).view(-1, window_size**2)
    return torch.where(region[:, :, None] == region[:, None], 0.0, -100.0)


def mask_of_the_map(size, window_size, shift):
    region = sum(region_numbers_scaled(size, shift)).flatten()
    return torch.where(region[:, None] == region, 0.0, -100.0)


# ---- merge_patches


def merged_by_slices(places):
    a, b = places[:, 0::2, 0::2], places[:, 1::2, 0::2]
    c, d = places[:, 0::2, 1::2], places[:, 1::2, 1::2]
    return torch.cat([a, b, c, d], dim=3)


def merged_by_axes(places):
    b, h, w, d = places.shape
    x = places.reshape(b, h // 2, 2, w // 2, 2, d)  # (B, H/2, i, W/2, j, D)
    return x.permute(0, 1, 3, 4, 2, 5).reshape(b, h // 2, w // 2, 4 * d)


def merged_by_windows(places):
    b, h, w, d = places.shape
    x = swin.to_windows(places, 2)[:, :, [0, 2, 1, 3]]
    return x.reshape(b, h // 2, w // 2, 4 * d)


def merged_by_einsum(places):
    b, h, w, d = places.shape
    return torch.einsum("bhiwjd->bhwjid", places.view(b, h // 2, 2, w // 2, 2, d)).flatten(3)


def merged_by_loops(places):
    _, h, w, _ = places.shape
    rows = []
    for i in range(0, h, 2):
        row = [
            torch.cat([places[:, i, j], places[:, i + 1, j], places[:, i, j + 1], places[:, i + 1, j + 1]], -1)
            for j in range(0, w, 2)
        ]
        rows.append(torch.stack(row, 1))
    return torch.stack(rows, 1)


def merged_along_rows(places):
    return swin.to_windows(places, 2).reshape(len(places), places.shape[1] // 2, places.shape[2] // 2, -1)


def merged_around_the_clock(places):
    x = places
    return torch.cat([x[:, ::2, ::2], x[:, ::2, 1::2], x[:, 1::2, 1::2], x[:, 1::2, ::2]], -1)


def merged_in_memory_order(places):
    b, h, w, d = places.shape
    return places.contiguous().view(b, h // 2, w // 2, 4 * d)


def merged_quarters(places):
    top, bottom = places.chunk(2, dim=1)
    return torch.cat([*(half for half in zip_columns(top, bottom))], dim=-1)


def zip_columns(top, bottom):
    for index in range(2):
        yield top.chunk(2, dim=2)[index]
        yield bottom.chunk(2, dim=2)[index]


def merged_by_pixel_unshuffle(places):
    return F.pixel_unshuffle(places.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def merged_by_pooling(places):
    return F.avg_pool2d(places.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def merged_by_dropping(places):
    return places[:, ::2][:, :, ::2]


def merged_pairs(places):
    return torch.cat(places.unflatten(1, (-1, 2)).unbind(2), -1)


def merged_on_an_axis(places):
    return merged_by_slices(places).unflatten(-1, (4, -1))


def merged_below_each_other(places):
    return torch.cat(merged_by_slices(places).chunk(4, dim=-1), dim=1)


def merged_to_a_sequence(places):
    return merged_by_axes(places).view(len(places), -1, 4 * places.shape[-1])


def merged_and_turned(places):
    return merged_by_axes(places).permute(0, 2, 1, 3)


# ---- shifted_windows


def way(places, window_size, shift, attend):
    size = tuple(places.shape[1:3])
    x = torch.roll(places, shifts=(-shift, -shift), dims=(1, 2))
    x = swin.to_windows(x, window_size)
    x = attend(x, swin.shift_mask(size, window_size, (shift, shift)))
    x = swin.from_windows(x, size)
    return torch.roll(x, shifts=(shift, shift), dims=(1, 2))


def way_with_cat(places, window_size, shift, attend):
    x = torch.cat([places[:, shift:], places[:, :shift]], 1)
    x = torch.cat([x[:, :, shift:], x[:, :, :shift]], 2)
    mask = mask_by_where(places.shape[1:3], window_size, (shift, shift))
    y = swin.from_windows(attend(windows_by_loops(x, window_size), mask), x.shape[1:3])
    y = torch.cat([y[:, -shift:], y[:, :-shift]], 1)
    return torch.cat([y[:, :, -shift:], y[:, :, :-shift]], 2)


def way_image_by_image(places, window_size, shift, attend):
    return torch.cat([way(place[None], window_size, shift, attend) for place in places])


def way_in_two_rolls(places, window_size, shift, attend):
    _, h, w, _ = places.shape
    x = places.roll(h - shift, 1).roll(w - shift, 2)
    mask = mask_by_slices((h, w), window_size, (shift, shift))
    x = swin.from_windows(attend(windows_by_unfold(x, window_size), mask), (h, w))
    return x.roll(shift, 2).roll(shift, 1)


def way_not_back(places, window_size, shift, attend):
    return way(places, window_size, shift, attend).roll((-shift, -shift), (1, 2))


def way_twice(places, window_size, shift, attend):
    return way_not_back(places, window_size, shift, attend).roll(-shift, 1).roll(-shift, 2)


def with_windows(rolled, window_size, shift, attend, zero=False):
    mask = swin.shift_mask(tuple(rolled.shape[1:3]), window_size, (shift, shift))
    return swin.from_windows(
        attend(swin.to_windows(rolled, window_size), 0 * mask if zero else mask), rolled.shape[1:3]
    )


def way_down(places, window_size, shift, attend):
    x = with_windows(places.roll((shift, shift), (1, 2)), window_size, shift, attend)
    return x.roll((-shift, -shift), (1, 2))


def way_without_shift(places, window_size, shift, attend):
    return with_windows(places, window_size, shift, attend, zero=True)


def way_without_mask(places, window_size, shift, attend):
    x = with_windows(places.roll((-shift, -shift), (1, 2)), window_size, shift, attend, zero=True)
    return x.roll((shift, shift), (1, 2))


def way_along_rows(places, window_size, shift, attend):
    return with_windows(places.roll(-shift, 1), window_size, shift, attend).roll(shift, 1)


def way_on_last_axes(places, window_size, shift, attend):
    x = with_windows(places.roll((-shift, -shift), (2, 3)), window_size, shift, attend)
    return x.roll((shift, shift), (2, 3))


def way_without_axes(places, window_size, shift, attend):
    return with_windows(torch.roll(places, -shift), window_size, shift, attend).roll(shift)


def way_in_windows(places, window_size, shift, attend):
    x = places.roll((-shift, -shift), (1, 2))
    mask = mask_by_where(places.shape[1:3], window_size, (shift, shift))
    return attend(windows_by_loops(x, window_size), mask)


def way_by_reshape(places, window_size, shift, attend):
    return way_in_windows(places, window_size, shift, attend).view_as(places).roll((shift, shift), (1, 2))


def way_cut_first(places, window_size, shift, attend):
    x = swin.to_windows(places, window_size)
    x = torch.cat([x[:, :, shift:], x[:, :, :shift]], 2)
    x = attend(x, mask_by_where(places.shape[1:3], window_size, (shift, shift)))
    return swin.from_windows(torch.cat([x[:, :, -shift:], x[:, :, :-shift]], 2), tuple(places.shape[1:3]))


def way_with_sides_exchanged(places, window_size, shift, attend):
    _, h, w, _ = places.shape
    x = swin.to_windows(places.roll((-shift, -shift), (1, 2)), window_size)
    x = attend(x, mask_by_where((w, h), window_size, (shift, shift)))
    return swin.from_windows(x, (h, w)).roll((shift, shift), (1, 2))


def way_with_residual(places, window_size, shift, attend):
    return way(places, window_size, shift, attend) + places


def way_window_by_window(places, window_size, shift, attend):
    def each(windows, mask):
        pairs = zip(windows.split(1, dim=1), mask.split(1), strict=True)
        return torch.cat([attend(window, its) for window, its in pairs], dim=1)

    return way(places, window_size, shift, each)


def way_called_for_nothing(places, window_size, shift, attend):
    def twice(windows, mask):
        attend(windows, mask)
        return attend(windows, mask)

    return way(places, window_size, shift, twice)


WRONG_ATTEMPTS = [
    (to_windows, "another type of number", lambda p, w: windows_by_einsum(p, w).float()),
    (to_windows, "another type of number", lambda p, w: windows_by_index(p, w).to(torch.float32)),
    (merge_patches, "another type of number", lambda p: merged_by_axes(p).float()),
    (shifted_windows, "attend called several times", way_window_by_window),
    (shifted_windows, "attend called several times", way_called_for_nothing),
    (shifted_windows, "attend called several times", way_image_by_image),
    (to_windows, "a bare reshape", windows_in_memory_order),
    (to_windows, "windows numbered down the columns", windows_down_first),
    (to_windows, "rows and columns exchanged inside a window", windows_mirrored),
    (to_windows, "places that are far apart", windows_of_far_places),
    (to_windows, "windows left as small maps", windows_as_maps),
    (to_windows, "the grid of windows not flattened", windows_in_a_grid),
    (to_windows, "windows joined with the batch", windows_of_all_images),
    (to_windows, "windows before the batch", windows_first),
    (to_windows, "D before the places", windows_with_channels_first),
    (to_windows, "cut along one side only", strips),
    (to_windows, "no gradient", lambda p, w: windows_by_loops(p.detach(), w)),
    (to_windows, "a ready-made function", lambda p, w: swin.to_windows(p, w)),
    (to_windows, "another type of number", lambda p, w: windows_by_loops(p, w).double()),
    (shift_mask, "a mask of zeros", mask_open_everywhere),
    (shift_mask, "shut and open exchanged", mask_the_wrong_way),
    (shift_mask, "a mask of 0 and 1", mask_of_truth),
    (shift_mask, "a mask of 0 and 1", mask_of_ones),
    (shift_mask, "another number than -100", mask_of_infinity),
    (shift_mask, "another number than -100", lambda s, w, by: mask_by_where(s, w, by) * 1e7),
    (shift_mask, "plus 100 in place of minus", mask_of_plus),
    (shift_mask, "shut along one side only", mask_of_rows),
    (shift_mask, "the corner counted as one with its sides", mask_of_two_kinds),
    (shift_mask, "the border at the wrong end", mask_from_the_front),
    (shift_mask, "the border at the wrong place", mask_of_the_other_part),
    (shift_mask, "shift down and to the right exchanged", mask_with_shifts_exchanged),
    (shift_mask, "the same shift for both sides", mask_with_one_shift),
    (shift_mask, "rows and columns of the map exchanged", mask_with_sides_exchanged),
    (shift_mask, "regions cut by a bare reshape", mask_by_reshape),
    (shift_mask, "one mask for the whole map", mask_of_the_map),
    (shift_mask, "a ready-made function", lambda s, w, by: swin.shift_mask(s, w, by)),
    (shift_mask, "another type of number", lambda s, w, by: mask_by_where(s, w, by).int()),
    (merge_patches, "read along the rows", merged_along_rows),
    (merge_patches, "another order of the four", merged_around_the_clock),
    (merge_patches, "a bare reshape", merged_in_memory_order),
    (merge_patches, "quarters of the map", merged_quarters),
    (merge_patches, "numbers of the four interleaved", merged_by_pixel_unshuffle),
    (merge_patches, "a mean in place of all four", merged_by_pooling),
    (merge_patches, "three of four thrown away", merged_by_dropping),
    (merge_patches, "two in place of four", merged_pairs),
    (merge_patches, "the four not joined", merged_on_an_axis),
    (merge_patches, "joined along another axis", merged_below_each_other),
    (merge_patches, "the map flattened", merged_to_a_sequence),
    (merge_patches, "rows and columns exchanged", merged_and_turned),
    (merge_patches, "no gradient", lambda p: merged_by_slices(p.data)),
    (merge_patches, "a ready-made function", lambda p: swin.merge_patches(p)),
    (shifted_windows, "not rolled back", way_not_back),
    (shifted_windows, "rolled the same way twice", way_twice),
    (shifted_windows, "rolled down and to the right", way_down),
    (shifted_windows, "no shift", way_without_shift),
    (shifted_windows, "without the mask", way_without_mask),
    (shifted_windows, "shifted along one side only", way_along_rows),
    (shifted_windows, "rolled along the wrong axes", way_on_last_axes),
    (shifted_windows, "rolled without axes", way_without_axes),
    (shifted_windows, "left in windows", way_in_windows),
    (shifted_windows, "put back by a bare reshape", way_by_reshape),
    (shifted_windows, "windows cut before the roll", way_cut_first),
    (shifted_windows, "height and width exchanged", way_with_sides_exchanged),
    (shifted_windows, "the input added", way_with_residual),
    (shifted_windows, "no gradient", lambda p, w, s, attend: way(p, w, s, attend).detach()),
]
RIGHT_ATTEMPTS = [
    (to_windows, windows_by_loops),
    (to_windows, windows_by_unfold),
    (to_windows, windows_by_einsum),
    (to_windows, windows_by_nn_unfold),
    (to_windows, windows_by_chunks),
    (to_windows, windows_by_index),
    (shift_mask, mask_by_comparing_in_loops),
    (shift_mask, mask_by_slices),
    (shift_mask, mask_by_where),
    (shift_mask, mask_by_one_hot),
    (shift_mask, mask_by_rolling),
    (shift_mask, mask_in_float64),
    (merge_patches, merged_by_slices),
    (merge_patches, merged_by_axes),
    (merge_patches, merged_by_windows),
    (merge_patches, merged_by_einsum),
    (merge_patches, merged_by_loops),
    (shifted_windows, way),
    (shifted_windows, way_with_cat),
    (shifted_windows, way_in_two_rolls),
]
