"""Einsum: sums of products over named indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from string import ascii_letters
from typing import TYPE_CHECKING

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..errors import quoted
from ..expressions import Size, product
from ..formats import Accumulation
from ..ops import Role
from ..shapes import Shape, ShapeConflict, Tensor, broadcast
from .linear import contraction_result
from .rule import Call, Layout, Operator, Result, Steps

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["OPERATORS"]

LONGEST = 10_000
ELLIPSIS = "."


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """Operand and result labels: letters, and one "." for an ellipsis."""

    operands: tuple[str, ...]
    result: str


def einsum(call: Call) -> Result:
    """Y[result indices] = sum over the other indices of the product of all operands.

    Counting: operands - 1 products for every combination of all indices, as one loop nest computes it (pairwise
    contraction may need fewer), and the additions of each sum. One operand alone is a sum, or data movement where no
    index is summed.
    """
    equation = parse(call)
    sizes, common = _index_sizes(call, equation)
    labels = {**sizes, ELLIPSIS: product(common)}
    shape = _shape(equation, sizes, common)
    present = sorted(set().union(*equation.operands))
    terms = product([labels[label] for label in present if label not in equation.result])
    outputs = product(shape)
    tensors = tuple(call.input(index) for index in range(len(equation.operands)))
    if len(tensors) == 1:
        return _single(tensors[0], shape, outputs, terms)
    if len(tensors) == 2:
        sides = _alone(equation, labels, 0), _alone(equation, labels, 1)
        plain = contraction_result(tensors[0], tensors[1], shape, outputs, terms, sides=sides)
        return replace(plain, layouts=_layouts(equation, sizes, tensors))
    return _many(tensors, shape, outputs, terms)


def _layouts(equation: Equation, sizes: dict[str, Size], tensors: tuple[Tensor, ...]) -> dict[str, Layout]:
    """The constant one of two operands, its indices of the result first, those summed over behind."""
    index = 0 if tensors[0].constant and not tensors[1].constant else 1
    labels, summed = equation.operands[index], sorted(set("".join(equation.operands)) - set(equation.result))
    known = {label: size for label, size in sizes.items() if isinstance(size, int)}
    whole = len(known) == len(sizes) and ELLIPSIS not in "".join(equation.operands)
    if not tensors[index].constant or not whole or len(set(labels)) != len(labels):
        return {}
    kept = [label for label in labels if label not in summed]

    def arranged(array: Array) -> Array:
        import numpy as np

        ordered = array.transpose([labels.index(label) for label in (*kept, *(s for s in summed if s in labels))])
        # An index that only the other operand has repeats every weight.
        spread = ordered.reshape([*ordered.shape[: len(kept)], *(known[s] if s in labels else 1 for s in summed)])
        full = np.broadcast_to(spread, [*ordered.shape[: len(kept)], *(known[s] for s in summed)])
        return full.reshape(int(np.prod(full.shape[: len(kept)])), -1)

    return {"weight": Layout(index, arranged)}


def _alone(equation: Equation, sizes: Mapping[str, Size], index: int) -> Size:
    """Results that one of two operands alone tells apart."""
    own, other = equation.operands[index], equation.operands[1 - index]
    return product([sizes[label] for label in equation.result if label in own and label not in other])


def _single(x: Tensor, shape: Shape, outputs: Size, terms: Size) -> Result:
    if terms == 1:
        moved = replace(x, shape=shape, value=None, accumulator=None)
        return Result(outputs=(moved,), free="data movement")

    def text(m: Arithmetic[Signal]) -> None:
        m.sum(m.variable(outputs * terms, x.number), terms=terms, outputs=outputs, role=Role.REDUCTION)

    return Result(outputs=(Tensor(dtype=x.dtype, shape=shape),), work=Steps(text=text), kind="sum")


def _many(tensors: tuple[Tensor, ...], shape: Shape, outputs: Size, terms: Size) -> Result:
    # Variables first, so that a constant operand is the second of its product.
    first, *others = sorted(tensors, key=lambda tensor: tensor.constant)
    elements = outputs * terms

    def text(m: Arithmetic[Signal]) -> None:
        value = m.variable(elements, first.number)
        for tensor in others[:-1]:
            value = m.multiply(value, _factor(m, tensor, elements), role=Role.CONTRACTION)
        m.dot(value, _factor(m, others[-1], elements), terms=terms, outputs=outputs, role=Role.CONTRACTION)

    sum = Accumulation(terms, first.number, others[-1].number)
    formats = {"weight": others[-1].number, "input": first.number, "accumulator": sum.format}
    return Result(
        outputs=(Tensor(dtype=first.dtype, shape=shape),), work=Steps(text=text), kind="dense", formats=formats
    )


def _factor(m: Arithmetic[Signal], tensor: Tensor, elements: Size) -> Signal:
    return m.constant(elements, tensor.number) if tensor.constant else m.variable(elements, tensor.number)


def parse(call: Call) -> Equation:
    """The equation attribute, read and checked; the result of an implicit one is what occurs once, in ASCII order."""
    text = call.text("equation")
    if len(text) > LONGEST:
        call.refuse("E-EINSUM-LENGTH", f"an equation of {len(text)} characters exceeds {LONGEST}")
    left, arrow, right = text.replace(" ", "").partition("->")
    operands = tuple(_labels(call, term, text) for term in left.split(","))
    if len(operands) != len(call.inputs):
        call.refuse(
            "E-EINSUM-OPERANDS",
            f"equation '{quoted(text)}' has {len(operands)} terms for {len(call.inputs)} inputs",
        )
    if arrow:
        result = _labels(call, right, text)
        if len(set(result)) != len(result):
            call.refuse("E-EINSUM-EQUATION", f"equation '{quoted(text)}' repeats an index in its result")
        strange = [label for label in result if not any(label in operand for operand in operands)]
        # An ellipsis in the result alone stands for no axes.
        if any(label != ELLIPSIS for label in strange):
            call.refuse("E-EINSUM-EQUATION", f"index '{strange[0]}' of the result of '{quoted(text)}' is in no term")
        return Equation(operands=operands, result=result)
    whole = "".join(operands)
    once = sorted(label for label in set(whole) if label != ELLIPSIS and whole.count(label) == 1)
    return Equation(operands=operands, result=(ELLIPSIS if ELLIPSIS in whole else "") + "".join(once))


def _labels(call: Call, term: str, text: str) -> str:
    """A term with its ellipsis as one character."""
    labels = term.replace("...", "\0", 1)
    for label in labels:
        if label != "\0" and (label not in ascii_letters):
            call.refuse(
                "E-EINSUM-EQUATION", f"equation '{quoted(text)}' has '{quoted(label)}' where a letter is expected"
            )
    return labels.replace("\0", ELLIPSIS)


def _index_sizes(call: Call, equation: Equation) -> tuple[dict[str, Size], Shape]:
    """The size of every index and the common shape of the ellipses; a size of one is broadcast."""
    sizes: dict[str, Size] = {}
    common: Shape = ()
    for index, labels in enumerate(equation.operands):
        shape = call.shape(index)
        named = len(labels.replace(ELLIPSIS, ""))
        spare = len(shape) - named
        if spare < 0 or (spare and ELLIPSIS not in labels):
            call.refuse("E-EINSUM-RANK", f"input {index} has rank {len(shape)}, its term names {named} indices")
        start = labels.find(ELLIPSIS)
        if start >= 0:
            common = _met(call, "...", common, shape[start : start + spare])
            shape, labels = shape[:start] + shape[start + spare :], labels.replace(ELLIPSIS, "")
        for label, size in _diagonal(call, index, labels, shape).items():
            sizes[label] = _met(call, label, (sizes.get(label, 1),), (size,))[0]
    return sizes, common


def _diagonal(call: Call, index: int, labels: str, shape: Shape) -> dict[str, Size]:
    """The indices of one term; a repeated one runs along a diagonal, whose sizes must be equal."""
    found: dict[str, Size] = {}
    for label, size in zip(labels, shape, strict=True):
        known = found.setdefault(label, size)
        if isinstance(known, int) and isinstance(size, int) and known != size:
            call.refuse("E-EINSUM-SIZE", f"index '{label}' of input {index} has sizes {known} and {size}")
        if isinstance(size, int):
            found[label] = size
    return found


def _met(call: Call, label: str, left: Shape, right: Shape) -> Shape:
    try:
        return broadcast(left, right)
    except ShapeConflict:
        found = [",".join(map(str, shape)) for shape in (left, right)]
        call.refuse("E-EINSUM-SIZE", f"index '{label}' has sizes {found[0]} and {found[1]}")


def _shape(equation: Equation, sizes: dict[str, Size], common: Shape) -> Shape:
    result: list[Size] = []
    for label in equation.result:
        if label == ELLIPSIS:
            result.extend(common)
        else:
            result.append(sizes[label])
    return tuple(result)


OPERATORS = (Operator(name="Einsum", rule=einsum, inputs=(1, None), attributes="equation"),)
