"""Tensors made from attributes, sizes and indices: constants, filled tensors, ranges, shapes, one-hot vectors."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, isfinite, prod

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, at_least, ceil_divide, is_expression, maximum
from ..ops import Role
from ..shapes import FOLDED, Element, Shape, Tensor, strides_of
from .element_types import element_type
from .moved import MOVEMENT, movement, sizes_from_data, whole
from .rule import MICROSOFT, Call, Operator, Result, Steps, operand

__all__ = ["OPERATORS"]

# Form of the attribute -> element type it makes; a list makes a vector, a lone number or string a scalar.
FORMS = {
    "value_int": "int64",
    "value_ints": "int64",
    "value_float": "float32",
    "value_floats": "float32",
    "value_string": "string",
    "value_strings": "string",
}


def constant(call: Call) -> Result:
    """The tensor that exactly one of the value attributes holds."""
    present = [name for name in (*FORMS, "value", "sparse_value") if name in call.attributes]
    if len(present) != 1:
        found = ", ".join(present) or "none"
        call.refuse("E-CONSTANT-VALUE", f"exactly one value attribute is expected, found {found}")
    name = present[0]
    held = call.attributes[name]
    if isinstance(held, Tensor) != (name in ("value", "sparse_value")):
        call.refuse("E-ATTRIBUTE-TYPE", f"attribute '{name}' is of another kind than its name says")
    if isinstance(held, Tensor):
        return movement(replace(held, constant=True))
    value: tuple[Element, ...] = held if isinstance(held, tuple) else (held,)
    if isinstance(held, tuple) != name.endswith("s"):
        call.refuse("E-ATTRIBUTE-TYPE", f"attribute '{name}' is of another kind than its name says")
    shape = (len(value),) if isinstance(held, tuple) else ()
    return movement(Tensor(dtype=FORMS[name], shape=shape, constant=True).with_value(value))


def constant_of_shape(call: Call) -> Result:
    """One number, 0 if none is given, repeated over a shape that is known from data."""
    fill = call.attributes.get("value", Tensor(dtype="float32", shape=(1,), value=(0.0,)))
    if not isinstance(fill, Tensor) or fill.size not in (None, 1):
        call.refuse("E-FILL-VALUE", "attribute 'value' must be a tensor of one element")
    shape = sizes_from_data(call, 0)
    result = Tensor(dtype=fill.dtype, shape=shape)
    sizes = whole(shape)
    if sizes is None or not fill.value:
        return movement(result)
    return movement(result.with_value(fill.value * prod(sizes)))


def number_range(call: Call) -> Result:
    """start, start + delta, ... up to and without limit: max(0, ceil((limit - start) / delta)) numbers."""
    scalars: list[Element] = []
    for index in range(3):
        tensor = call.input(index)
        if isinstance(tensor.size, int) and tensor.size != 1:
            call.refuse("E-RANGE-SCALAR", f"input {index} has {tensor.size} elements, expected a scalar")
        scalars.append(_integral(tensor.value[0]) if tensor.value else None)
    count = _range_length(call, scalars)
    result = Tensor(dtype=call.input(0).dtype, shape=(count,))
    start, _, delta = scalars
    if not isinstance(count, int) or count > FOLDED or start is None or delta is None:
        return movement(result)
    if isinstance(start, str) or isinstance(delta, str | bool) or (isinstance(start, float) and is_expression(delta)):
        return movement(result)
    value: list[Element] = [_advanced(start, delta, place) for place in range(count)]
    if (result.dtype or "").startswith(("float", "bfloat")):
        value = [float(element) if isinstance(element, int) else element for element in value]
    return movement(result.with_value(value))


def plain_range(call: Call) -> Result:
    """The range of com.microsoft, whose delta may be left out: then it is 1."""
    one = Tensor(dtype=call.input(0).dtype, shape=(), constant=True, value=(1,))
    return number_range(replace(call, inputs=(*call.inputs[:2], call.given(2) or one)))


def _integral(element: Element) -> Element:
    if isinstance(element, float) and isfinite(element) and element == int(element):
        return int(element)
    return element


def _advanced(start: Element, delta: Element, place: int) -> Element:
    if isinstance(start, int | float) and isinstance(delta, int | float):
        return start + place * delta
    if isinstance(start, str | float | None) or isinstance(delta, str | float | None):
        return None
    return start + place * delta


def _range_length(call: Call, scalars: list[Element]) -> Size:
    start, limit, delta = scalars
    unknown = any(scalar is None or isinstance(scalar, str) for scalar in scalars)
    if isinstance(delta, int | float) and delta == 0:
        call.refuse("E-RANGE-DELTA", "delta is 0, expected a step forwards or backwards")
    if unknown or any(isinstance(scalar, float) and not isfinite(scalar) for scalar in scalars):
        return call.symbol("count")
    if isinstance(start, int | float) and isinstance(limit, int | float) and isinstance(delta, int | float):
        if isinstance(start, int) and isinstance(limit, int) and isinstance(delta, int):
            return max(0, -((start - limit) // delta))
        try:
            return max(0, ceil((limit - start) / delta))
        except OverflowError:
            return call.symbol("count")
    if isinstance(start, float | str | None) or isinstance(limit, float | str | None):
        return call.symbol("count")
    if isinstance(delta, float | str | None):
        return call.symbol("count")
    if is_expression(delta) and at_least(delta, 1) is not True:
        return call.symbol("count")
    if isinstance(delta, int) and delta < 0:
        return maximum(0, ceil_divide(start - limit, -delta))
    return maximum(0, ceil_divide(limit - start, delta))


def eye_like(call: Call) -> Result:
    """Ones on a diagonal of a matrix of the input's shape."""
    x = call.input(0)
    if x.shape is not None:
        call.shape(0, 2)
    return movement(Tensor(dtype=element_type(call, "dtype") or x.dtype, shape=x.shape))


def shape(call: Call) -> Result:
    """The sizes of the input's axes from `start` up to and without `end`, both brought into the rank."""
    sizes = call.input(0).shape
    if sizes is None:
        return movement(Tensor(dtype="int64", shape=(call.symbol("rank"),)))
    rank = len(sizes)
    start, end = call.integer("start", 0), call.integer("end", rank)
    start, end = (min(max(bound + rank if bound < 0 else bound, 0), rank) for bound in (start, end))
    kept = sizes[start:end]
    return movement(Tensor(dtype="int64", shape=(len(kept),)).with_value(kept))


def size(call: Call) -> Result:
    """The number of elements of the input."""
    total = call.input(0).size
    return movement(Tensor(dtype="int64", shape=()).with_value(None if total is None else (total,)))


def non_zero(call: Call) -> Result:
    """Where the input is not zero: one index per axis and such element. One comparison per element that is no bool."""
    x = call.input(0)
    rank, total = x.rank, x.size
    count: Size = call.symbol("count")
    value: list[Element] | None = None
    if x.value is not None and x.shape is not None and all(isinstance(e, int | float) for e in x.value):
        places = [place for place, element in enumerate(x.value) if element]
        count = len(places)
        sizes = whole(x.shape) or []
        steps = zip(sizes, strides_of(sizes), strict=True)
        value = [place // step % size for size, step in steps for place in places]
    # A scalar is taken as a vector of one, and has no axis to name.
    found: Shape | None = None if rank is None else (rank, count)
    result = Tensor(dtype="int64", shape=found).with_value(value)
    if x.dtype == "bool":
        return movement(result)
    if total is None:
        call.unknown("the shape of input 0 is unknown", result)

    def text(m: Arithmetic[Signal]) -> None:
        m.compare(operand(m, x, total), m.constant(1, x.number), role=Role.ELEMENTWISE)

    return Result(outputs=(result,), work=Steps(text=text), kind="comparison")


def one_hot(call: Call) -> Result:
    """A new axis of `depth` numbers, `on` at the index and `off` elsewhere."""
    indices, depth, values = call.input(0), call.input(1), call.input(2)
    for index, expected in ((1, 1), (2, 2)):
        total = call.input(index).size
        if isinstance(total, int) and total != expected:
            call.refuse("E-ONE-HOT", f"input {index} has {total} elements, expected {expected}")
    if indices.shape is None:
        return movement(Tensor(dtype=values.dtype))
    known = depth.value[0] if depth.value else None
    wide: Size = call.symbol("depth")
    if isinstance(known, int | float) and isfinite(known):
        wide = int(known)
    elif is_expression(known):
        wide = known
    if isinstance(wide, int) and wide < 0:
        call.refuse("E-ONE-HOT", f"depth is {wide}, expected 0 or more")
    axis = call.axis(call.integer("axis", -1), len(indices.shape) + 1)
    return movement(Tensor(dtype=values.dtype, shape=(*indices.shape[:axis], wide, *indices.shape[axis:])))


OPERATORS = (
    Operator(
        name="Constant",
        rule=constant,
        inputs=(0, 0),
        attributes="value sparse_value value_int value_ints value_float value_floats value_string value_strings",
        free=MOVEMENT,
    ),
    Operator(name="ConstantOfShape", rule=constant_of_shape, attributes="value", settings=(0,), free=MOVEMENT),
    Operator(
        name="Range", rule=number_range, inputs=(3, 3), attributes="stash_type", settings=(0, 1, 2), free=MOVEMENT
    ),
    Operator(name="Range", rule=plain_range, inputs=(2, 3), settings=(0, 1, 2), free=MOVEMENT, domain=MICROSOFT),
    Operator(name="EyeLike", rule=eye_like, attributes="dtype k", settings=(0,), free=MOVEMENT),
    Operator(name="Shape", rule=shape, attributes="start end", settings=(0,), free=MOVEMENT),
    Operator(name="Size", rule=size, settings=(0,), free=MOVEMENT),
    Operator(name="NonZero", rule=non_zero),
    Operator(name="OneHot", rule=one_hot, inputs=(3, 3), attributes="axis", settings=(1, 2), free=MOVEMENT),
)
