"""QONNX operators: floats that are said to hold few bits. Quant, BipolarQuant, FloatQuant, Trunc, MultiThreshold,
QuantAvgPool2d.

Source: the QONNX operator definitions (Pappalardo et al. 2022, arXiv 2206.07527); Trunc in both versions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..errors import quoted
from ..expressions import Size, product
from ..formats import WIDEST, Binary, Fixed, Float, Format, Ternary, format_of_dtype
from ..ops import Role
from ..shapes import Tensor
from .channels_last import CHANNELS_LAST
from .moved import listed
from .quantizers import FORMAT_STATEMENT
from .rule import Call, Operator, Result, Rule, Steps, operand

__all__ = ["DOMAINS", "OPERATORS", "data_type", "fixed", "known_bits"]

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
EXPECTED = f"a width is an integer from {{least}} to {WIDEST}"
INTEGER = re.compile(r"(U?|SCALED)INT<?(\d{1,2})>?")
FRACTION = re.compile(r"FIXED<(\d{1,2}),(-?\d{1,2})>")
SMALL_FLOAT = re.compile(r"FLOAT<(\d{1,2}),(\d{1,2}),\d{1,5}>")
MODES = ("ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "ROUND_TO_ZERO")
NAMES = {1: "scale", 2: "zero point", 3: "bit width"}


def known_bits(call: Call, index: int, least: int = 1, kept: tuple[Tensor, ...] = ()) -> int | None:
    """A bit width that arrives as data: the widest where several are given, None where they are not looked at here.

    Refuses what is no width; uncounted where only the run decides, with `kept` still known of the outputs.
    """
    given = call.input(index)
    widths = given.value
    if widths is None or not all(isinstance(width, int | float) for width in widths):
        if not given.constant:
            call.unknown(f"the bit width (input {index}) is decided by the run", *kept)
        return None
    numbers = [width for width in widths if isinstance(width, int | float)]
    for width in numbers:
        if not math.isfinite(width) or width != int(width) or not least <= width <= WIDEST:
            call.refuse("E-BITS", f"input {index} asks for {said(width)} bits; {EXPECTED.format(least=least)}")
    return int(max(numbers, default=0)) or None


def _width(call: Call, index: int, least: int = 1) -> int | None:
    """The width of a quantizer, whose output is a float where only the run decides it."""
    return known_bits(call, index, least, (replace(call.input(0), format=None, encoding=None, value=None),))


def said(width: float) -> str:
    """A number that is no width, as a text shows it."""
    return f"{width:g}" if isinstance(width, float) else str(width)


def fixed(bits: int | None, signed: bool) -> Format | None:
    """Integers of so many bits, the scale left out; one signed bit is -1 or +1."""
    if bits is None:
        return None
    return Binary() if bits == 1 and signed else Fixed(bits=bits, integer=bits, signed=signed)


def _stated(call: Call, format: Format | None) -> Result:
    tensor = replace(call.input(0), format=format, value=None)
    formats = {} if format is None else {"output": format}
    return Result(outputs=(tensor,), free=FORMAT_STATEMENT, kind="quantizer", formats=formats)


def quant(call: Call) -> Result:
    """y = scale (clip(round(x / scale + zero_point)) - zero_point), integers of bit_width bits times a scale."""
    _check_attributes(call)
    _check_shapes(call, NAMES)
    bits, signed = _width(call, 3), bool(call.integer("signed", 1))
    if bits == 1 and signed and call.integer("narrow", 0):
        call.refuse("E-QUANT-RANGE", "1 bit, signed and narrow, holds no number but 0")
    return _stated(call, fixed(bits, signed))


def _check_attributes(call: Call) -> None:
    for name, default in (("signed", 1), ("narrow", 0)):
        if call.integer(name, default) not in (0, 1):
            call.refuse("E-QUANT-ATTRIBUTE", f"attribute '{name}' is {call.integer(name)}, expected 0 or 1")
    mode = call.text("rounding_mode", "ROUND")
    if mode.upper() not in MODES:
        fact = f"attribute 'rounding_mode' is '{quoted(mode)}', expected one of {', '.join(MODES)}"
        call.refuse("E-QUANT-ATTRIBUTE", fact)


def _check_shapes(call: Call, names: Mapping[int, str]) -> None:
    """What says how numbers are quantized must broadcast to them and not beyond."""
    shape = call.input(0).shape
    for index, name in names.items():
        given = call.given(index)
        if shape is None or given is None or given.shape is None:
            continue
        rank = max(len(shape), len(given.shape))
        pairs = zip(
            (*(1,) * (rank - len(shape)), *shape), (*(1,) * (rank - len(given.shape)), *given.shape), strict=True
        )
        if any(isinstance(size, int) and size != 1 and isinstance(own, int) and size != own for own, size in pairs):
            fact = f"the {name} of shape {listed(given.shape)} does not broadcast to input {listed(shape)}"
            call.refuse("E-QUANT-SHAPE", fact)


def bipolar_quant(call: Call) -> Result:
    """y = scale where x >= 0, else -scale."""
    _check_shapes(call, {1: "scale"})
    return _stated(call, Binary())


def float_quant(call: Call) -> Result:
    """y = x rounded to a small float: a sign, so many exponent and so many mantissa bits."""
    _check_attributes(call)
    _check_shapes(call, {1: "scale", 2: "exponent width", 3: "mantissa width"})
    widths = [_width(call, 2, 0), _width(call, 3, 0)]
    if any(call.values(index) is None for index in (2, 3)):
        return _stated(call, None)
    bits = sum(width or 0 for width in widths) + (1 if call.integer("signed", 1) else 0)
    if not any(widths) or bits > WIDEST:
        shown = f"a float of {bits} bits" if bits > WIDEST else "no exponent and no mantissa"
        call.refuse("E-BITS", f"inputs 2 and 3 ask for {shown}; {EXPECTED.format(least=1)}")
    return _stated(call, Float(bits=bits))


def trunc(call: Call) -> Result:
    """y = x without its lowest bits; the output width is the last input that is a width."""
    _check_attributes(call)
    last = 4 if len(call.inputs) < 6 else 5 if len(call.inputs) == 6 else 6
    _check_shapes(call, {**NAMES, last: "output width"})
    held = call.input(0).format
    signed = call.integer("signed", 1) if "signed" in call.attributes or held is None else held.signed
    return _stated(call, fixed(_width(call, last), bool(signed)))


def multi_threshold(call: Call) -> Result:
    """y = out_scale * #{t : x >= threshold[channel, t]} + out_bias: a comparison per element and threshold.

    Counting the thresholds passed, the scale and the bias are part of the format statement.
    """
    x, shape = call.input(0), call.shape(0)
    channels, steps = call.shape(1, 2)
    layout = call.text("data_layout", "NCHW")
    at = 1 if layout == "NCHW" and len(shape) in (2, 4) else -1
    if isinstance(channels, int) and channels != 1:
        width = shape[at] if shape else 1
        if isinstance(width, int) and width != channels:
            call.refuse(
                "E-THRESHOLD-CHANNELS",
                f"thresholds of {channels} channels for input {listed(shape)} in {quoted(layout)}",
            )
    comparisons, thresholds = product(shape) * steps, call.input(1)

    def text(m: Arithmetic[Signal]) -> None:
        m.compare(operand(m, x, comparisons), operand(m, thresholds, comparisons), role=Role.ACTIVATION)

    format = _named_format(call)
    _check_room(call, format, steps)
    output = Tensor(dtype=x.dtype, shape=x.shape, format=format)
    formats = {} if format is None else {"output": format}
    return Result(outputs=(output,), work=Steps(text=text), kind="threshold", formats=formats)


def data_type(name: str) -> Format | None:
    """The format of a QONNX data type (INT4, BIPOLAR, FIXED<8,4> …), None for a name that is none."""
    if name in ("BIPOLAR", "TERNARY"):
        return Binary() if name == "BIPOLAR" else Ternary()
    if name in ("FLOAT32", "FLOAT16"):
        return format_of_dtype(name.lower())
    if name == "BINARY":
        return Fixed(bits=1, integer=1, signed=False)
    integers, small = INTEGER.fullmatch(name), SMALL_FLOAT.fullmatch(name)
    if integers is not None and 1 <= int(integers[2]) <= WIDEST and ("<" in name) == (integers[1] == "SCALED"):
        return Fixed(bits=int(integers[2]), integer=int(integers[2]), signed=integers[1] != "U")
    if small is not None and int(small[1]) + int(small[2]) < WIDEST:
        return Float(bits=1 + int(small[1]) + int(small[2]))
    part = FRACTION.fullmatch(name)
    known = part is not None and 1 <= int(part[1]) <= WIDEST
    return Fixed(bits=int(part[1]), integer=int(part[2])) if part is not None and known else None


def _named_format(call: Call) -> Format:
    """The format of the output's data type; refuses a name that is none."""
    name = call.text("out_dtype")
    found = data_type(name)
    if found is None:
        known = "BINARY, BIPOLAR, TERNARY, INT4, UINT4, SCALEDINT<8>, FIXED<8,4>, FLOAT<4,3,7>, FLOAT16, FLOAT32"
        call.refuse("E-QUANT-TYPE", f"out_dtype is '{quoted(name)}', expected a data type such as {known}")
    return found


def _check_room(call: Call, format: Format | None, steps: Size) -> None:
    """Refuse a type with fewer numbers than there are levels: one more than thresholds."""
    if format is None or format.floating or not isinstance(steps, int):
        return
    levels = 2 if isinstance(format, Binary) else 3 if isinstance(format, Ternary) else 1 << format.width
    if steps + 1 > levels:
        name = quoted(call.text("out_dtype"))
        call.refuse("E-QUANT-RANGE", f"{steps} thresholds make {steps + 1} levels, out_dtype {name} holds {levels}")


def average_pool(call: Call) -> Result:
    """y = sum of a kernel x kernel window, shifted down to obits: kernel^2 - 1 additions per output."""
    x, shape = call.input(0), call.shape(0, 4)
    kernel, stride, bits = call.integer("kernel"), call.integer("stride"), call.integer("obits")
    if kernel < 1 or stride < 1 or not 1 <= bits <= WIDEST:
        fact = f"kernel {kernel}, stride {stride} and obits {bits} must be 1 or more, obits {WIDEST} or less"
        call.refuse("E-POOL-KERNEL", fact)
    first = 2 if call.text("data_layout", "NCHW") == "NCHW" else 1
    sizes: list[Size] = list(shape)
    for axis in (first, first + 1):
        size = sizes[axis]
        if isinstance(size, int) and size < kernel:
            call.refuse("E-POOL-KERNEL", f"kernel {kernel} is wider than axis {axis} of {listed(shape)}")
        sizes[axis] = (size - kernel) // stride + 1
    outputs, terms = product(sizes), kernel * kernel

    def text(m: Arithmetic[Signal]) -> None:
        m.sum(operand(m, x, outputs * terms), terms=terms, outputs=outputs, role=Role.POOLING)

    format = Fixed(bits=bits, integer=bits, signed=bool(call.integer("signed", 0)))
    output = Tensor(dtype=x.dtype, shape=tuple(sizes), format=format)
    return Result(outputs=(output,), work=Steps(text=text), kind="pooling", formats={"output": format})


QUANT = "signed narrow rounding_mode"
FLOAT_QUANT = "signed rounding_mode has_inf has_nan has_subnormal saturation"
THRESHOLD = "out_dtype out_scale out_bias data_layout"
POOL = "stride kernel ibits obits signed data_layout"


def _statement(name: str, rule: Rule, inputs: tuple[int, int], attributes: str, domain: str) -> Operator:
    """A quantizer: every input but the first steers it."""
    settings = tuple(range(1, inputs[1]))
    return Operator(
        name=name,
        rule=rule,
        inputs=inputs,
        attributes=attributes,
        settings=settings,
        free=FORMAT_STATEMENT,
        domain=domain,
    )


def _of_domain(domain: str) -> tuple[Operator, ...]:
    return (
        _statement("Quant", quant, (4, 4), QUANT, domain),
        _statement("IntQuant", quant, (4, 4), QUANT, domain),
        _statement("BipolarQuant", bipolar_quant, (2, 2), "", domain),
        _statement("FloatQuant", float_quant, (4, 6), FLOAT_QUANT, domain),
        _statement("Trunc", trunc, (5, 7), QUANT, domain),
        Operator(
            name="MultiThreshold",
            rule=multi_threshold,
            inputs=(2, 2),
            attributes=THRESHOLD,
            weights=(1,),
            domain=domain,
        ),
        Operator(name="QuantAvgPool2d", rule=average_pool, attributes=POOL, domain=domain),
    )


# Old exporters wrote Quant without a domain; data_layout says the rest, so other domains need no copies.
OPERATORS = (
    *(operator for domain in (*DOMAINS, CHANNELS_LAST) for operator in _of_domain(domain)),
    _statement("Quant", quant, (4, 4), QUANT, ""),
)
