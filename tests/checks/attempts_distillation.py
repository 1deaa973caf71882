"""Attempts at the exercises of lesson 12 (distillation), wrong and right, written as learners may write them."""

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.beyond import distillation
from course_utils.checks.distillation import soft_loss, step_loss, two_heads_loss

# ---- soft_loss


def forgot_t_squared(student, teacher, temperature):
    p = torch.softmax(teacher / temperature, dim=-1)
    log_q = torch.log_softmax(student / temperature, dim=-1)
    return F.kl_div(log_q, p, reduction="batchmean")


def only_once_t(student, teacher, temperature):
    return temperature * forgot_t_squared(student, teacher, temperature)


def undone_twice(student, teacher, temperature):
    return forgot_t_squared(student, teacher, temperature) / temperature**2


def shares_divided(student, teacher, temperature):
    p = teacher.softmax(dim=1) / temperature
    log_q = (student.softmax(dim=1) / temperature).log()
    return (p * (p.log() - log_q)).sum(dim=1).mean() * temperature**2


def wrong_direction(student, teacher, temperature):
    p, q = ((x / temperature).softmax(dim=1) for x in (teacher, student))
    return (q * (q / p).log()).sum(dim=1).mean() * temperature**2


def teacher_first_in_kl_div(student, teacher, temperature):
    log_p = F.log_softmax(teacher / temperature, 1)
    q = F.softmax(student / temperature, 1)
    return F.kl_div(log_p, q, reduction="batchmean") * temperature**2


def the_usual_mean(student, teacher, temperature):
    log_q = F.log_softmax(student / temperature, dim=1)
    p = F.softmax(teacher / temperature, dim=1)
    return nn.KLDivLoss()(log_q, p) * temperature * temperature


def summed_over_all(student, teacher, temperature):
    log_q = F.log_softmax(student / temperature, dim=1)
    return F.kl_div(log_q, F.softmax(teacher / temperature, dim=1), reduction="sum") * temperature**2


def a_row_of_losses(student, teacher, temperature):
    log_q = F.log_softmax(student / temperature, dim=1)
    log_p = F.log_softmax(teacher / temperature, dim=1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(dim=1)


def down_the_columns(student, teacher, temperature):
    log_q = F.log_softmax(student / temperature, dim=0)
    log_p = F.log_softmax(teacher / temperature, dim=0)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(dim=0).mean()


def student_as_it_is(student, teacher, temperature):
    p = (teacher / temperature).softmax(1)
    return F.kl_div(student.log_softmax(1), p, reduction="batchmean") * temperature**2


def teacher_as_it_is(student, teacher, temperature):
    q = (student / temperature).log_softmax(1)
    return F.kl_div(q, teacher.softmax(1), reduction="batchmean") * temperature**2


def no_temperature(student, teacher, temperature):
    return F.kl_div(student.log_softmax(1), teacher.softmax(1), reduction="batchmean") * temperature**2


def hotter_and_hotter(student, teacher, temperature):
    log_q, log_p = (student * temperature).log_softmax(1), (teacher * temperature).log_softmax(1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True) * temperature**2


def soft_cross_entropy(student, teacher, temperature):
    p = (teacher / temperature).softmax(dim=1)
    return -(p * (student / temperature).log_softmax(dim=1)).sum(dim=1).mean() * temperature**2


def sign_turned(student, teacher, temperature):
    log_q, log_p = (student / temperature).log_softmax(1), (teacher / temperature).log_softmax(1)
    return temperature**2 * (log_p.exp() * (log_q - log_p)).sum(1).mean()


def no_logarithm(student, teacher, temperature):
    q, p = (student / temperature).softmax(1), (teacher / temperature).softmax(1)
    return F.kl_div(q, p, reduction="batchmean") * temperature**2


def two_logarithms(student, teacher, temperature):
    log_q, log_p = (student / temperature).log_softmax(1), (teacher / temperature).log_softmax(1)
    return F.kl_div(log_q, log_p, reduction="batchmean") * temperature**2


def distance_of_logits(student, teacher, temperature):
    return F.mse_loss(student / temperature, teacher / temperature) * temperature**2


def distance_of_shares(student, teacher, temperature):
    q, p = (student / temperature).softmax(1), (teacher / temperature).softmax(1)
    return ((q - p) ** 2).sum(1).mean() * temperature**2


def hard_in_place_of_soft(student, teacher, temperature):
    return F.cross_entropy(student, teacher.argmax(dim=-1))


def without_student_gradient(student, teacher, temperature):
    return by_kl_div(student.detach(), teacher, temperature)


def the_packages_own(student, teacher, temperature):
    return distillation.soft_loss(student, teacher, temperature)


def by_kl_div(student, teacher, temperature):
    log_q = F.log_softmax(student / temperature, dim=-1)
    p = F.softmax(teacher.detach() / temperature, dim=-1)
    return F.kl_div(log_q, p, reduction="batchmean") * (temperature * temperature)


def by_hand(student, teacher, temperature):
    log_p = (teacher / temperature) - (teacher / temperature).logsumexp(dim=1, keepdim=True)
    log_q = (student / temperature) - (student / temperature).logsumexp(dim=1, keepdim=True)
    return (torch.exp(log_p) * (log_p - log_q)).sum() / len(student) * temperature**2


def entropy_taken_away(student, teacher, temperature):
    p = (teacher / temperature).softmax(dim=1)
    cross = F.cross_entropy(student / temperature, p)
    own = torch.special.entr(p).sum(dim=1).mean()
    return temperature**2 * (cross - own)


def image_by_image(student, teacher, temperature):
    total = 0
    for s, t in zip(student / temperature, teacher / temperature, strict=True):
        total = total + F.kl_div(s.log_softmax(0), t.log_softmax(0), reduction="sum", log_target=True)
    return total / student.shape[0] * temperature**2


def by_mean_times_classes(student, teacher, temperature):
    criterion = nn.KLDivLoss(reduction="mean", log_target=True)
    log_q, log_p = nn.LogSoftmax(dim=1)(student / temperature), nn.LogSoftmax(dim=1)(teacher / temperature)
    return criterion(log_q, log_p) * student.shape[1] * temperature**2


# ---- two_heads_loss


def heads_exchanged(class_logits, token_logits, teacher_logits, labels):
    echo = teacher_logits.argmax(dim=1)
    return 0.5 * F.cross_entropy(token_logits, labels) + 0.5 * F.cross_entropy(class_logits, echo)


def both_in_full(class_logits, token_logits, teacher_logits, labels):
    return F.cross_entropy(class_logits, labels) + F.cross_entropy(token_logits, teacher_logits.argmax(-1))


def mean_of_the_heads(class_logits, token_logits, teacher_logits, labels):
    logits = (class_logits + token_logits) / 2
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits, teacher_logits.argmax(1))) / 2


def one_head_for_both(class_logits, token_logits, teacher_logits, labels):
    echo = teacher_logits.argmax(1)
    return (F.cross_entropy(class_logits, labels) + F.cross_entropy(class_logits, echo)) / 2


def labels_for_both(class_logits, token_logits, teacher_logits, labels):
    return (F.cross_entropy(class_logits, labels) + F.cross_entropy(token_logits, labels)) / 2


def teacher_for_both(class_logits, token_logits, teacher_logits, labels):
    echo = teacher_logits.max(dim=1).indices
    return (F.cross_entropy(class_logits, echo) + F.cross_entropy(token_logits, echo)) / 2


def only_the_token(class_logits, token_logits, teacher_logits, labels):
    return F.cross_entropy(token_logits, teacher_logits.argmax(dim=1))


def soft_for_the_token(class_logits, token_logits, teacher_logits, labels):
    soft = F.cross_entropy(token_logits, teacher_logits.softmax(dim=1))
    return (F.cross_entropy(class_logits, labels) + soft) / 2


def over_the_batch(class_logits, token_logits, teacher_logits, labels):
    echo = teacher_logits.argmax(dim=0)[: len(labels)]
    return (F.cross_entropy(class_logits, labels) + F.cross_entropy(token_logits, echo)) / 2


def its_own_choice(class_logits, token_logits, teacher_logits, labels):
    return (F.cross_entropy(class_logits, labels) + F.cross_entropy(token_logits, token_logits.argmax(1))) / 2


def smallest_logit(class_logits, token_logits, teacher_logits, labels):
    return (F.cross_entropy(class_logits, labels) + F.cross_entropy(token_logits, teacher_logits.argmin(1))) / 2


def softmax_before(class_logits, token_logits, teacher_logits, labels):
    echo = teacher_logits.argmax(1)
    return (F.cross_entropy(class_logits.softmax(1), labels) + F.cross_entropy(token_logits.softmax(1), echo)) / 2


def heads_summed(class_logits, token_logits, teacher_logits, labels):
    of = nn.CrossEntropyLoss(reduction="sum")
    return (of(class_logits, labels) + of(token_logits, teacher_logits.argmax(1))) / 2


def heads_right(class_logits, token_logits, teacher_logits, labels):
    with torch.no_grad():
        echo = teacher_logits.argmax(dim=1)
    return 0.5 * F.cross_entropy(class_logits, labels) + 0.5 * F.cross_entropy(token_logits, echo)


def heads_by_nll(class_logits, token_logits, teacher_logits, labels):
    choice = teacher_logits.softmax(dim=-1).max(dim=-1)[1]
    losses = [
        F.nll_loss(logits.log_softmax(-1), target)
        for logits, target in ((class_logits, labels), (token_logits, choice))
    ]
    return torch.stack(losses).mean()


def heads_by_one_hot(class_logits, token_logits, teacher_logits, labels):
    k = class_logits.shape[1]
    wanted = F.one_hot(teacher_logits.argmax(1), k).to(token_logits.dtype)
    return (F.cross_entropy(class_logits, labels) + F.cross_entropy(token_logits, wanted)) / 2


def heads_in_one_call(class_logits, token_logits, teacher_logits, labels):
    both = torch.cat([class_logits, token_logits])
    return F.cross_entropy(both, torch.cat([labels, teacher_logits.argmax(dim=1)]))


# ---- step_loss


def still_training(student, teacher, images, labels, alpha, temperature):
    with torch.no_grad():
        taught = teacher(images)
    logits = student(images)
    return (1 - alpha) * F.cross_entropy(logits, labels) + alpha * distillation.soft_loss(logits, taught, temperature)


def teacher_learns_too(student, teacher, images, labels, alpha, temperature):
    taught = teacher.eval()(images)
    logits = student(images)
    return (1 - alpha) * F.cross_entropy(logits, labels) + alpha * distillation.soft_loss(logits, taught, temperature)


@torch.no_grad()
def no_gradient_at_all(student, teacher, images, labels, alpha, temperature):
    return step_right(student, teacher, images, labels, alpha, temperature)


def step_as_a_number(student, teacher, images, labels, alpha, temperature):
    return step_right(student, teacher, images, labels, alpha, temperature).item()


def student_at_rest(student, teacher, images, labels, alpha, temperature):
    student.eval()
    return step_right(student, teacher, images, labels, alpha, temperature)


def shares_exchanged(student, teacher, images, labels, alpha, temperature):
    return step_right(student, teacher, images, labels, 1 - alpha, temperature)


def added(student, teacher, images, labels, alpha, temperature):
    teacher.eval()
    with torch.no_grad():
        taught = teacher(images)
    logits = student(images)
    return F.cross_entropy(logits, labels) + distillation.soft_loss(logits, taught, temperature)


def labels_only(student, teacher, images, labels, alpha, temperature):
    return F.cross_entropy(student(images), labels)


def teacher_first(student, teacher, images, labels, alpha, temperature):
    teacher.eval()
    with torch.no_grad():
        taught = teacher(images)
    logits = student(images)
    return (1 - alpha) * F.cross_entropy(logits, labels) + alpha * distillation.soft_loss(taught, logits, temperature)


def at_temperature_one(student, teacher, images, labels, alpha, temperature):
    return step_right(student, teacher, images, labels, alpha, 1.0)


def labels_softened(student, teacher, images, labels, alpha, temperature):
    teacher.eval()
    with torch.no_grad():
        taught = teacher(images)
    logits = student(images)
    hard = F.cross_entropy(logits / temperature, labels)
    return (1 - alpha) * hard + alpha * distillation.soft_loss(logits, taught, temperature)


def divided_before(student, teacher, images, labels, alpha, temperature):
    teacher.eval()
    with torch.no_grad():
        taught = teacher(images) / temperature
    logits = student(images)
    soft = distillation.soft_loss(logits / temperature, taught, temperature)
    return (1 - alpha) * F.cross_entropy(logits, labels) + alpha * soft


def t_squared_again(student, teacher, images, labels, alpha, temperature):
    teacher.eval()
    with torch.no_grad():
        taught = teacher(images)
    logits = student(images)
    soft = distillation.soft_loss(logits, taught, temperature) * temperature**2
    return (1 - alpha) * F.cross_entropy(logits, labels) + alpha * soft


def goes_back(student, teacher, images, labels, alpha, temperature):
    loss = step_right(student, teacher, images, labels, alpha, temperature)
    loss.backward()
    return loss


def step_right(student, teacher, images, labels, alpha, temperature):
    teacher.eval()
    with torch.no_grad():
        taught = teacher(images)
    logits = student(images)
    return (1 - alpha) * F.cross_entropy(logits, labels) + alpha * distillation.soft_loss(logits, taught, temperature)


def step_with_detach(student, teacher, images, labels, alpha, temperature):
    taught = teacher.train(False)(images).detach()
    said = student(images)
    soft = forgot_t_squared(said, taught, temperature) * temperature**2
    return alpha * soft + (1 - alpha) * nn.CrossEntropyLoss()(said, labels)


def step_and_back_to_training(student, teacher, images, labels, alpha, temperature):
    was = teacher.training
    teacher.eval()
    with torch.inference_mode():
        taught = teacher(images)
    teacher.train(was)
    taught = taught.clone()  # a tensor of inference mode cannot be saved for the gradient
    said = student(images)
    return torch.lerp(F.cross_entropy(said, labels), distillation.soft_loss(said, taught, temperature), alpha)


def step_with_frozen_teacher(student, teacher, images, labels, alpha, temperature):
    teacher = teacher.eval().requires_grad_(False)
    logits, taught = student(images), teacher(images)
    hard = F.nll_loss(logits.log_softmax(1), labels)
    return hard * (1 - alpha) + distillation.soft_loss(logits, taught, temperature) * alpha


WRONG_ATTEMPTS = [
    (soft_loss, "T squared forgotten", forgot_t_squared),
    (soft_loss, "T in place of T squared", only_once_t),
    (soft_loss, "divided by T squared", undone_twice),
    (soft_loss, "divided by T after the softmax", shares_divided),
    (soft_loss, "student and teacher exchanged", wrong_direction),
    (soft_loss, "student and teacher exchanged", teacher_first_in_kl_div),
    (soft_loss, "divided by images and classes", the_usual_mean),
    (soft_loss, "the sum over the images", summed_over_all),
    (soft_loss, "one loss for each image", a_row_of_losses),
    (soft_loss, "softmax over the images", down_the_columns),
    (soft_loss, "only the teacher softened", student_as_it_is),
    (soft_loss, "only the student softened", teacher_as_it_is),
    (soft_loss, "nothing softened", no_temperature),
    (soft_loss, "multiplied by T", hotter_and_hotter),
    (soft_loss, "cross-entropy", soft_cross_entropy),
    (soft_loss, "the minus of it", sign_turned),
    (soft_loss, "the student's shares without a logarithm", no_logarithm),
    (soft_loss, "the teacher's shares as logarithms, unsaid", two_logarithms),
    (soft_loss, "logits in place of shares", distance_of_logits),
    (soft_loss, "the squared distance of the shares", distance_of_shares),
    (soft_loss, "the teacher's first choice", hard_in_place_of_soft),
    (soft_loss, "no gradient", without_student_gradient),
    (soft_loss, "a ready-made function", the_packages_own),
    (two_heads_loss, "the heads exchanged", heads_exchanged),
    (two_heads_loss, "the sum, not the mean of both", both_in_full),
    (two_heads_loss, "the mean of the heads learns", mean_of_the_heads),
    (two_heads_loss, "one head learns from both", one_head_for_both),
    (two_heads_loss, "both learn from the labels", labels_for_both),
    (two_heads_loss, "both learn from the teacher", teacher_for_both),
    (two_heads_loss, "one of the two losses is missing", only_the_token),
    (two_heads_loss, "the teacher's shares", soft_for_the_token),
    (two_heads_loss, "argmax over the images", over_the_batch),
    (two_heads_loss, "the student's own choice", its_own_choice),
    (two_heads_loss, "the teacher's worst choice", smallest_logit),
    (two_heads_loss, "softmax before the cross-entropy", softmax_before),
    (two_heads_loss, "the sum over the images", heads_summed),
    (step_loss, "the teacher in train mode", still_training),
    (step_loss, "a gradient into the teacher", teacher_learns_too),
    (step_loss, "the student without a gradient", no_gradient_at_all),
    (step_loss, "a Python number", step_as_a_number),
    (step_loss, "the student in eval mode", student_at_rest),
    (step_loss, "alpha and 1 - alpha exchanged", shares_exchanged),
    (step_loss, "both count in full", added),
    (step_loss, "one of the two losses is missing", labels_only),
    (step_loss, "student and teacher exchanged in the loss", teacher_first),
    (step_loss, "the temperature forgotten", at_temperature_one),
    (step_loss, "the labels at a temperature", labels_softened),
    (step_loss, "softened twice", divided_before),
    (step_loss, "T squared a second time", t_squared_again),
    (step_loss, "backward inside", goes_back),
]

RIGHT_ATTEMPTS = [
    *[
        (soft_loss, attempt)
        for attempt in (by_kl_div, by_hand, entropy_taken_away, image_by_image, by_mean_times_classes)
    ],
    *[(two_heads_loss, attempt) for attempt in (heads_right, heads_by_nll, heads_by_one_hot, heads_in_one_call)],
    *[
        (step_loss, attempt)
        for attempt in (step_right, step_with_detach, step_and_back_to_training, step_with_frozen_teacher)
    ],
]
