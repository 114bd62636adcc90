"""The same numbers under another element type: Identity, Cast, CastLike, BitCast."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import copysign, inf, isfinite, isnan, trunc
from re import fullmatch
from struct import pack, unpack

from ..encoding import Encoding
from ..expressions import Expression, at_least, maximum, minimum, rounded_down
from ..formats import FLOATS, Fixed, Format, format_of_dtype
from ..shapes import Element, Tensor
from .element_types import element_type
from .moved import MOVEMENT, movement
from .rule import Call, Operator, Result

__all__ = ["OPERATORS", "cast_tensor"]

LETTERS = {"float32": "f", "float16": "e"}
# Integers of so many bits are numbers of the type, every one of them.
DIGITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}


def identity(call: Call) -> Result:
    """y = x, of any kind."""
    return movement(call.input(0))


def cast(call: Call) -> Result:
    """y = x in the element type that `to` names."""
    wanted = element_type(call, "to")
    if wanted is None:
        call.refuse("E-ATTRIBUTE-MISSING", "attribute 'to' is required and absent")
    return movement(cast_tensor(call.input(0), wanted))


def cast_like(call: Call) -> Result:
    """y = x in the element type of another tensor."""
    return movement(cast_tensor(call.input(0), call.input(1).dtype))


def bit_cast(call: Call) -> Result:
    """The same bits read as another element type of the same width."""
    wanted, x = element_type(call, "to"), call.input(0)
    if wanted is None or wanted == "string":
        call.refuse("E-CAST-BITS", "attribute 'to' must name an element type other than string")
    if x.dtype is not None and x.dtype != "string" and _bits(x.dtype) != _bits(wanted):
        call.refuse(
            "E-CAST-BITS", f"{x.dtype} and {wanted} differ in width: the bits of one are not those of the other"
        )
    value = x.value if wanted == x.dtype else None
    return movement(replace(x, dtype=wanted, value=value, format=None, encoding=None, accumulator=None, known=None))


def _bits(dtype: str) -> object:
    return 8 if dtype == "bool" else (128 if dtype == "complex128" else format_of_dtype(dtype).bits)


def cast_tensor(x: Tensor, dtype: str | None) -> Tensor:
    """A tensor in another element type. A quantized format survives between floats, and from integers to floats: what
    was stored is then the number itself, as it is where a float type holds all integers of an element type."""
    value = None if x.value is None or dtype is None else [_converted(element, dtype) for element in x.value]
    format, encoding = (x.format, x.encoding) if dtype == x.dtype else _survivors(x, dtype)
    return replace(x, dtype=dtype, format=format, encoding=encoding, value=None).with_value(value)


def _survivors(x: Tensor, dtype: str | None) -> tuple[Format | None, Encoding | None]:
    """Format and encoding behind a change of element type, None where the numbers are rounded anew."""
    if dtype not in FLOATS or x.dtype is None:
        return None, None
    if x.dtype in FLOATS:
        return (x.format, x.encoding) if x.format is not None and not x.format.floating else (None, None)
    number = x.number
    exact = isinstance(number, Fixed) and at_least(DIGITS.get(dtype, 0), number.bits) is True
    if x.format is None and not exact:
        return None, None
    own = x.encoding is not None and x.encoding.step == 1 and x.encoding.zero_point == 0
    return number, x.encoding if own else Encoding(source=f"Cast from {x.dtype}", carrier=x.dtype, step=Fraction(1))


def _converted(element: Element, dtype: str) -> Element:
    """One element in an element type, None where the result is not defined or not followed."""
    if element is None or dtype == "undefined" or dtype.startswith("complex"):
        return None
    if isinstance(element, Expression):
        return _converted_size(element, dtype)
    if dtype == "string":
        return element if isinstance(element, str) else str(element) if type(element) is int else None
    if isinstance(element, str):
        return _parsed(element, dtype)
    if dtype == "bool":
        return bool(element)
    integer = fullmatch(r"(u?)int(\d+)", dtype)
    if integer is None:
        return _rounded(element, dtype)
    if isinstance(element, float) and not isfinite(element):
        return None
    bits, unsigned = int(integer[2]), bool(integer[1])
    low = 0 if unsigned else -(1 << (bits - 1))
    whole = trunc(element)
    wrapped = (whole - low) % (1 << bits) + low
    # Floats outside the range are undefined; integers keep their lower bits.
    return None if isinstance(element, float) and wrapped != whole else wrapped


def _converted_size(element: Expression, dtype: str) -> Element:
    """A free size in an element type: whole for integers (towards zero), as it is for floats of enough digits."""
    positive = at_least(element, 0) is True
    if dtype == "bool":
        return True if at_least(element, 1) is True else None
    if dtype in ("int64", "int32") or (dtype in ("uint64", "uint32") and positive):
        down = rounded_down(element)
        return down if positive or down == element else maximum(down, minimum(0 - rounded_down(0 - element), 0))
    return element if dtype in ("float64", "float32", "float16", "bfloat16") else None


def _parsed(text: str, dtype: str) -> Element:
    try:
        return _rounded(float(text), dtype) if dtype in FLOATS else int(text) if "int" in dtype else None
    except ValueError:
        return None


def _rounded(element: int | float, dtype: str) -> Element:
    """A number rounded to the nearest of a floating type; 8 and fewer bits are not followed."""
    try:
        number = float(element)
    except OverflowError:
        return copysign(inf, element)
    if dtype == "float64" or (dtype != "bfloat16" and (isnan(number) or not isfinite(number)) and dtype in LETTERS):
        return number
    letter = LETTERS.get(dtype)
    if letter is None:
        return number if number in (0.0, 1.0) and dtype == "bfloat16" else None
    try:
        rounded: float = unpack(letter, pack(letter, number))[0]
    except OverflowError:
        return copysign(inf, number)
    return rounded


OPERATORS = (
    Operator(name="Identity", rule=identity, free=MOVEMENT),
    Operator(name="Cast", rule=cast, attributes="to saturate round_mode", free=MOVEMENT),
    Operator(
        name="CastLike",
        rule=cast_like,
        inputs=(2, 2),
        attributes="saturate round_mode",
        settings=(1,),
        free=MOVEMENT,
    ),
    Operator(name="BitCast", rule=bit_cast, attributes="to", free=MOVEMENT),
)
