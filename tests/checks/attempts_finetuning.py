"""Attempts at the exercises of lesson 09 (finetuning), wrong and right, written as learners may write them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import torch
from torch import nn

from course_utils import VisionTransformer
from course_utils.checks.core import Exercise
from course_utils.checks.finetuning import freeze, parameter_groups, replace_head

# ---- replace_head, as learners write it


def loaded(model, num_classes, *, zero=True, keep=True, body=True, strict=False):
    config = dataclasses.replace(model.config, num_classes=num_classes)
    new = VisionTransformer(config)
    if body:
        state = model.state_dict()
        del state["head.weight"], state["head.bias"]
        new.load_state_dict(state, strict=strict)
    if zero:
        torch.nn.init.zeros_(new.head.weight)
        torch.nn.init.zeros_(new.head.bias)
    if keep:
        new.normalisation = model.normalisation
    return new


def loaded_with(**slips):
    return lambda model, num_classes: loaded(model, num_classes, **slips)


def only_linear(model, num_classes):
    head = torch.nn.Linear(model.config.embed_dim, num_classes)
    head.weight.data.zero_()
    head.bias.data.zero_()
    return head


def in_place(model, num_classes):
    model.head = nn.Linear(model.head.in_features, num_classes)
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    return model


def in_place_random(model, num_classes):
    model.head = nn.Linear(model.config.embed_dim, num_classes)
    return model


def only_zeroed(model, num_classes):
    new = copy.deepcopy(model)
    new.head.weight.data[:] = 0
    new.head.bias.data[:] = 0
    return new


def turned(model, num_classes):
    new = copy.deepcopy(model)
    new.head = nn.Linear(num_classes, model.config.embed_dim)
    return new


def shallow(model, num_classes):
    new = loaded(model, num_classes)
    new.embeddings, new.encoder = model.embeddings, model.encoder
    return new


def without_bias(model, num_classes):
    new = copy.deepcopy(model)
    new.head = nn.Linear(new.head.in_features, num_classes, bias=False)
    new.head.weight = nn.Parameter(torch.zeros(num_classes, new.head.in_features))
    new.config = new.config.replace(num_classes=num_classes)
    return new


def half_zero(model, num_classes):
    new = loaded(model, num_classes, zero=False)
    nn.init.normal_(new.head.bias)
    nn.init.zeros_(new.head.weight)
    return new


def no_gradients(model, num_classes):
    new = loaded(model, num_classes)
    for parameter in new.parameters():
        parameter.requires_grad = False
    return new


def old_config(model, num_classes):
    new = copy.deepcopy(model)
    new.head = only_linear(model, num_classes)
    return new


def deep(model, num_classes):
    new = copy.deepcopy(model)
    new.head = only_linear(model, num_classes)
    new.config = dataclasses.replace(new.config, num_classes=num_classes)
    return new


def by_hand(model, num_classes):
    new = VisionTransformer(model.config.replace(num_classes=num_classes))
    with torch.no_grad():
        for name, parameter in new.named_parameters():
            parameter.copy_(0 * parameter if "head" in name else model.state_dict()[name])
    object.__setattr__(new, "normalisation", model.normalisation)
    return new


def with_zeros_in_the_state(model, num_classes):
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["head.weight"] = torch.zeros(num_classes, model.head.weight.shape[1])
    state["head.bias"] = torch.zeros(num_classes)
    new = type(model)(model.config.replace(num_classes=num_classes))
    new.load_state_dict(state)
    new.normalisation, new.classes = model.normalisation, None
    return new.eval()


# ---- freeze


def freeze_names(model, blocks, *, last=False, also=(), thaw=True, embeddings=True, total=None):
    depth = len(model.encoder.blocks)
    numbers = range(depth - blocks, depth) if last else range(blocks)
    frozen = [f"encoder.blocks.{i}." for i in numbers] + list(also if blocks else ())
    if embeddings and blocks:
        frozen.append("embeddings.")
    learning = 0
    for name, parameter in model.named_parameters():
        still = any(name.startswith(beginning) for beginning in frozen)
        if still or thaw:
            parameter.requires_grad = not still
        learning += 0 if still else parameter.numel()
    return learning if total is None else total(model)


def freeze_with(**slips):
    return lambda model, blocks: freeze_names(model, blocks, **slips)


def on_the_module(model, blocks):
    if blocks:
        model.embeddings.requires_grad = False
    for block in model.encoder.blocks[:blocks]:
        block.requires_grad = False
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def inverted(model, blocks):
    model.requires_grad_(False)
    if blocks:
        for module in (model.embeddings, *model.encoder.blocks[:blocks]):
            module.requires_grad_(True)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def only_patches(model, blocks):
    model.requires_grad_(True)
    if blocks:
        model.embeddings.patch_embedding.requires_grad_(False)
    for i in range(blocks):
        model.encoder.blocks[i].requires_grad_(False)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def short(model, blocks, shift):
    model.requires_grad_(True)
    if blocks > 0:
        model.embeddings.requires_grad_(False)
        for block in list(model.encoder.blocks)[: blocks + shift]:
            block.requires_grad_(False)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def without_dot(model, blocks):
    model.requires_grad_(True)
    for name, p in model.named_parameters():
        if blocks and (name.startswith("embeddings") or any(f"blocks.{i}" in name for i in range(blocks))):
            p.requires_grad = False
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def headless(model, blocks):
    model.requires_grad_(not blocks)
    model.head.requires_grad_(True)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def embeddings_always(model, blocks):
    model.requires_grad_(True)
    model.embeddings.requires_grad_(False)
    model.encoder.blocks[:blocks].requires_grad_(False)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def frozen_first(model, blocks):
    model.requires_grad_(False)
    learning = [*model.encoder.blocks[blocks:], model.encoder.norm, model.head]
    if not blocks:
        learning.append(model.embeddings)
    for module in learning:
        for parameter in module.parameters():
            parameter.requires_grad = True
    return torch.tensor(sum(p.numel() for module in learning for p in module.parameters()))


def sliced(model, blocks):
    for parameter in model.parameters():
        parameter.requires_grad_()
    if blocks > 0:
        for module in (model.embeddings, *list(model.encoder.blocks)[:blocks]):
            module.requires_grad_(False)
    counts = [parameter.nelement() for parameter in filter(lambda p: p.requires_grad, model.parameters())]
    return float(sum(counts))


def split_names(model, blocks):
    count = 0
    for name, parameter in model.named_parameters():
        pieces = name.split(".")
        first = blocks > 0 and (pieces[0] == "embeddings" or (pieces[1] == "blocks" and int(pieces[2]) < blocks))
        parameter.requires_grad = not first
        count += (not first) * parameter.numel()
    return count


# ---- parameter_groups


def by_module(model, rate, decay, *, up=1, norm="block", parts=("embeddings", "blocks", "norm", "head"), key="lr"):
    """Groups from the head to the images."""
    groups, now = [], rate
    if "head" in parts:
        groups.append({"params": list(model.head.parameters()), key: now})
    now *= decay**up
    if "norm" in parts:
        groups.append({"params": model.encoder.norm.parameters(), key: rate if norm == "head" else now})
    for block in reversed(model.encoder.blocks):
        groups.append({"params": block.parameters(), key: now})
        now *= decay
    if "embeddings" in parts:
        groups.append({"params": model.embeddings.parameters(), key: now})
    return groups


def modules_with(**slips):
    return lambda model, rate, decay: by_module(model, rate, decay, **slips)


def by_power(model, rate, decay, *, power, head=None):
    depth = len(model.encoder.blocks)
    groups = {}
    for name, parameter in model.named_parameters():
        if name.startswith("embeddings"):
            layer = 0
        elif "blocks" in name:
            layer = int(name.split(".")[2]) + 1
        else:
            layer = depth if "norm" in name else depth + 1
        lr = head if head is not None and layer == depth + 1 else power(rate, decay, depth + 1 - layer, depth)
        groups.setdefault(lr, []).append(parameter)
    return [{"params": params, "lr": lr} for lr, params in groups.items()]


def power_with(power):
    return lambda model, rate, decay: by_power(model, rate, decay, power=power)


def double(model, rate, decay):
    return [*by_module(model, rate, decay), {"params": [model.embeddings.class_token], "lr": rate}]


def from_the_front(model, rate, decay):
    groups = [{"params": model.embeddings.parameters(), "lr": rate * decay ** (len(model.encoder.blocks) + 1)}]
    for number, block in enumerate(model.encoder.blocks):
        groups.append({"params": block.parameters(), "lr": rate * decay ** (number + 1)})
    groups[0]["lr"] = rate * decay ** (number + 2)
    rest = [("norm", model.encoder.norm, rate * decay), ("head", model.head, rate)]
    return groups + [{"params": module.parameters(), "lr": lr, "name": name} for name, module, lr in rest]


def patches_of_embeddings(model, rate, decay):
    groups = by_module(model, rate, decay, parts=("blocks", "norm", "head"))
    lr = groups[-1]["lr"] * decay
    return [*groups, {"params": model.embeddings.patch_embedding.parameters(), "lr": lr}]


def like_first_block(model, rate, decay):
    groups = by_module(model, rate, decay)
    groups[-1]["lr"] = groups[-2]["lr"]
    return groups


def single(model, rate, decay):
    """One group for each parameter."""
    depth = model.config.depth
    layers = {"head": depth + 1, "embeddings": 0}
    groups = []
    for name, parameter in model.named_parameters():
        first, *rest = name.split(".")
        layer = layers.get(first, depth)
        if rest and rest[0] == "blocks":
            layer = int(rest[1]) + 1
        groups.append({"lr": rate * pow(decay, depth + 1 - layer), "params": parameter})
    return groups


def from_top(model, rate, decay):
    layers = [[model.embeddings], *([block] for block in model.encoder.blocks), [model.head]]
    layers[-2].append(model.encoder.norm)
    return [
        {"params": [p for module in layer for p in module.parameters()], "lr": rate * decay**away, "weight_decay": 0.05}
        for away, layer in enumerate(layers[::-1])
    ]


def tensor_rates(model, rate, decay):
    groups = by_module(model, rate, decay)
    return [group | {"lr": float(torch.tensor(group["lr"], dtype=torch.float64))} for group in groups]


def one_frozen_tensor(model):
    return len([p for p in model.parameters() if p.requires_grad])


# ---- attempts that fail for special models only


def with_other_normalisation(model, num_classes):
    new = loaded(model, num_classes)
    new.normalisation = dataclasses.replace(model.normalisation, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    return new


def changed_after(change):
    def replace(model, num_classes):
        new = loaded(model, num_classes)
        change(model)
        return new

    return replace


def the_old_one_will_do(model, num_classes):
    return model if num_classes == model.config.num_classes else loaded(model, num_classes)


def zeroed(model, blocks):
    learning = sliced(model, blocks)
    with torch.no_grad():
        for parameter in model.encoder.blocks[:blocks].parameters():
            parameter.zero_()
    return learning


def only_learning(model, rate, decay, parts=None):
    def kept(parameter, group):
        return parameter.requires_grad or (parts is not None and group not in parts)

    groups = by_module(model, rate, decay)
    own = {id(each): "embeddings" for each in model.embeddings.parameters()}
    return [
        group | {"params": [each for each in group["params"] if kept(each, own.get(id(each), "others"))]}
        for group in groups
    ]


def embeddings_frozen_afterwards(model, rate, decay):
    groups = by_module(model, rate, decay)
    for parameter in model.embeddings.parameters():
        parameter.requires_grad = False
    return groups


def upwards(model, rate, decay):
    lr = rate * decay ** (len(model.encoder.blocks) + 1)
    groups = []
    for part in (model.embeddings, *model.encoder.blocks):
        groups.append({"params": list(part.parameters()), "lr": lr})
        lr = lr / decay
    groups[-1]["params"] += model.encoder.norm.parameters()
    return [*groups, {"params": list(model.head.parameters()), "lr": lr}]


def to_four_digits(model, rate, decay):
    return [group | {"lr": round(group["lr"], 4)} for group in by_module(model, rate, decay)]


WRONG_ATTEMPTS: list[tuple[Exercise, str, Callable]] = [
    (replace_head, "another normalisation", with_other_normalisation),
    (replace_head, "the given model comes back", the_old_one_will_do),
    *(
        (replace_head, "mode or gradients of the given model changed", changed_after(change))
        for change in (lambda m: m.train(), lambda m: m.requires_grad_(False))
    ),
    (freeze, "numbers are changed", zeroed),
    (parameter_groups, "frozen parameters are left out", only_learning),
    (
        parameter_groups,
        "frozen parameters are left out",
        lambda m, rate, decay: only_learning(m, rate, decay, parts=["embeddings"]),
    ),
    (parameter_groups, "the model is changed", embeddings_frozen_afterwards),
    (parameter_groups, "a decay of 0", upwards),
    (parameter_groups, "a decay of 0", lambda m, rate, decay: by_module(m, rate, decay if decay else 1.0)),
    (parameter_groups, "rounded rates", to_four_digits),
    (replace_head, "only the head comes back", only_linear),
    (replace_head, "the given model is changed", in_place),
    (replace_head, "the given model is changed", in_place_random),
    (replace_head, "the old head is still there", only_zeroed),
    (replace_head, "the old head is still there", lambda model, num_classes: copy.deepcopy(model)),
    (replace_head, "inputs and outputs exchanged", turned),
    (replace_head, "the body is lost", loaded_with(body=False)),
    (replace_head, "the body is lost", loaded_with(body=False, keep=False)),
    (replace_head, "the body is lost", lambda m, k: VisionTransformer(m.config.replace(num_classes=k))),
    (replace_head, "the body is shared", shallow),
    (replace_head, "the head has no bias", without_bias),
    (replace_head, "the head is random", loaded_with(zero=False)),
    (replace_head, "the head is random", loaded_with(zero=False, keep=False)),
    (replace_head, "the head is random", half_zero),
    (replace_head, "it cannot learn", no_gradients),
    (replace_head, "the config still has the old number", old_config),
    (replace_head, "the normalisation is lost", loaded_with(keep=False)),
    (freeze, "nothing is frozen", on_the_module),
    (freeze, "nothing is frozen", lambda model, blocks: sum(p.numel() for p in model.parameters())),
    (freeze, "turned round", inverted),
    (freeze, "the embeddings still learn", freeze_with(embeddings=False)),
    (freeze, "class token and position codes still learn", only_patches),
    (freeze, "one block too many", lambda model, blocks: short(model, blocks, 1)),
    (freeze, "one block too few", lambda model, blocks: short(model, blocks, -1)),
    (freeze, "the last blocks", freeze_with(last=True)),
    (freeze, "block 10 begins like block 1", without_dot),
    (freeze, "everything but the head", headless),
    (freeze, "the last norm is frozen", freeze_with(also=["encoder.norm"])),
    (freeze, "the embeddings are frozen for 0 blocks", embeddings_always),
    (
        freeze,
        "what was frozen stays frozen",
        freeze_with(thaw=False, total=lambda m: sum(p.numel() for p in m.parameters() if p.requires_grad)),
    ),
    (freeze, "the tensors are counted", freeze_with(total=one_frozen_tensor)),
    (
        freeze,
        "what is frozen is counted",
        freeze_with(total=lambda m: sum(p.numel() for p in m.parameters() if not p.requires_grad)),
    ),
    (freeze, "all numbers are counted", freeze_with(total=lambda m: sum(p.numel() for p in m.parameters()))),
    (parameter_groups, "the groups bring no rate", modules_with(key="learning_rate")),
    (parameter_groups, "a parameter in two groups", double),
    (parameter_groups, "no decay", lambda m, rate, decay: [{"params": m.parameters(), "lr": rate}]),
    (parameter_groups, "only the head is faster", power_with(lambda r, d, n, depth: r if n == 0 else r * d)),
    (parameter_groups, "the wrong way round", from_the_front),
    (parameter_groups, "the wrong way round", power_with(lambda r, d, n, depth: r * d ** (depth + 1 - n))),
    (parameter_groups, "along a straight line", power_with(lambda r, d, n, depth: r - r * n * (1 - d))),
    (parameter_groups, "divided instead of multiplied", power_with(lambda r, d, n, depth: r * d**-n)),
    (parameter_groups, "the head decays too", power_with(lambda r, d, n, depth: r * d ** (n + 1))),
    (parameter_groups, "the last block has the full rate", modules_with(up=0)),
    (parameter_groups, "the embeddings are as fast as the first block", like_first_block),
    (parameter_groups, "the last norm is as fast as the head", modules_with(norm="head")),
    (parameter_groups, "the last norm is forgotten", modules_with(parts=("embeddings", "blocks", "head"))),
    (parameter_groups, "the embeddings are forgotten", modules_with(parts=("blocks", "norm", "head"))),
    (parameter_groups, "class token and position codes are forgotten", patches_of_embeddings),
    (parameter_groups, "the head is forgotten", modules_with(parts=("embeddings", "blocks", "norm"))),
]

RIGHT_ATTEMPTS: list[tuple[Exercise, Callable]] = [
    (replace_head, loaded),
    (replace_head, deep),
    (replace_head, by_hand),
    (replace_head, with_zeros_in_the_state),
    (freeze, freeze_names),
    (freeze, frozen_first),
    (freeze, sliced),
    (freeze, split_names),
    (parameter_groups, by_module),
    (parameter_groups, lambda m, rate, decay: by_power(m, rate, decay, power=lambda r, d, n, depth: r * d**n)),
    (parameter_groups, single),
    (parameter_groups, from_top),
    (parameter_groups, tensor_rates),
]
