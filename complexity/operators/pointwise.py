"""What operators on single elements have in common: the broadcast shape, and an equation once per output element."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import product
from ..shapes import Element, Shape, ShapeConflict, Tensor, broadcast
from .layouts import flat
from .propagation import Exact, carried
from .rule import Call, Layout, Result, Steps, operand

__all__ = ["common_shape", "pointwise"]

Equation = Callable[..., object]


def common_shape(call: Call, *indices: int) -> Shape | None:
    """The broadcast shape of inputs, None while one is unknown; refuses shapes that do not broadcast."""
    shapes = [call.input(index).shape for index in indices]
    known = [shape for shape in shapes if shape is not None]
    try:
        shape = broadcast(*known)
    except ShapeConflict as conflict:
        call.refuse("E-BROADCAST", str(conflict))
    return shape if len(known) == len(shapes) else None


def pointwise(
    call: Call,
    equation: Equation,
    *indices: int,
    kind: str,
    dtype: str | None = None,
    value: Sequence[Element] | None = None,
    operands: Sequence[Tensor] | None = None,
    exact: Exact | None = None,
    otherwise: Exact | None = None,
    wired: bool = False,
) -> Result:
    """An equation on one element of each input (or of `operands`), as often as the broadcast output has elements.

    exact: the same on the numbers quantized inputs hold; otherwise: where these have no answer (see `carried`).
    wired: the equation says all that a kernel of one element has to know.
    """
    tensors = [call.input(index) for index in indices]
    shape = common_shape(call, *indices)
    if dtype is None:
        dtype = next((tensor.dtype for tensor in tensors if tensor.dtype), None)
    output = Tensor(dtype=dtype, shape=shape).with_value(value)
    if exact is not None:
        output = carried(output, tensors, exact, call.op, otherwise)
    if shape is None:
        missing = next(index for index in indices if call.input(index).shape is None)
        call.unknown(f"the shape of input {missing} is unknown", output)

    def text(m: Arithmetic[Signal]) -> None:
        # One element: of a constant each has another one, by turns.
        read = tensors if operands is None else operands
        equation(m, *(operand(m, tensor, 1, "constant" if tensor.constant else "") for tensor in read))

    constants = [index for index in indices if call.input(index).constant]
    layouts = {"constant": Layout(constants[0], flat)} if len(constants) == 1 else {}
    return Result(
        outputs=(output,), work=Steps(text=text, executions=product(shape), wired=wired), kind=kind, layouts=layouts
    )
