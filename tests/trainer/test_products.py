from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pix2pix_model.nets.products import product

SHAPES = [(1, 7, 5), (4, 64, 96), (33, 1, 17), (256, 40, 8)]


class Calls(TorchDispatchMode):
    """Counts oneDNN's products."""

    num = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.num += "linear_pointwise" in str(function)
        return function(*args, **(kwargs or {}))


def operands(rows, inner, columns, *, on_side=(False, False)):
    draws = torch.Generator().manual_seed(rows)
    shapes = ((rows, inner), (inner, columns))
    return [
        torch.randn(shape[::-1] if turned else shape, generator=draws).requires_grad_()
        for shape, turned in zip(shapes, on_side, strict=True)
    ]


def derived(multiply, left, right, *, on_side=(False, False)):
    """Return the product, its gradients, and the gradients of a function of these."""
    of_left, of_right = (one.t() if turned else one for one, turned in zip((left, right), on_side, strict=True))
    made = multiply(of_left, of_right)
    first = torch.autograd.grad(made.square().sum(), (left, right), create_graph=True)
    second = torch.autograd.grad(sum(one.square().sum() for one in first), (left, right))
    return [made.detach(), *(one.detach() for one in first), *second]


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
@pytest.mark.parametrize("on_side", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_and_its_gradients_twice_over_are_those_of_torch(shape, on_side):
    given = operands(*shape, on_side=on_side)
    with Calls() as calls:
        found = derived(product, *given, on_side=on_side)
    assert calls.num >= 3
    doubled = [one.detach().double().requires_grad_() for one in given]
    for one, expected in zip(found, derived(torch.matmul, *doubled, on_side=on_side), strict=True):
        torch.testing.assert_close(one.double(), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("threads", [1, 2])
def test_it_gives_the_same_bits_each_time(threads):
    torch.set_num_threads(threads)
    given = operands(64, 1024, 256)
    first, second = (derived(product, *given) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_gradient_lies_in_memory_as_its_matrix_does():
    left, right = operands(4, 6, 5, on_side=(False, True))
    product(left, right.t()).sum().backward()
    assert right.grad.stride() == right.stride()
    left, right = operands(4, 6, 5)
    product(left, right).sum().backward()
    assert right.grad.stride() == right.stride()


def test_other_precisions_are_left_to_torch():
    left, right = (one.detach() for one in operands(3, 4, 5))
    with Calls() as calls:
        assert torch.equal(product(left.double(), right.double()), left.double() @ right.double())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert product(left, right).dtype == torch.bfloat16
    assert calls.num == 0
