"""QONNX operators: floats that are said to hold few bits. Quant, BipolarQuant, FloatQuant, Trunc, MultiThreshold,
QuantAvgPool2d.

Source: the QONNX operator definitions (Pappalardo et al. 2022, arXiv 2206.07527); Trunc in both versions.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..errors import quoted
from ..expressions import Size, product
from ..formats import WIDEST, Binary, Fixed, Float, Format, Ternary
from ..ops import Role
from ..shapes import Tensor
from .moved import listed
from .quantizers import FORMAT_STATEMENT
from .rule import Call, Operator, Result, Rule, Steps, operand

__all__ = ["DOMAINS", "OPERATORS", "known_bits"]

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
CHANNELS_LAST = "qonnx.custom_op.channels_last"
INTEGER = re.compile(r"(U?)INT(\d{1,2})")


def known_bits(call: Call, index: int, least: int = 1) -> int | None:
    """A bit width that arrives as data: the widest where several are given, None if not known or no whole number."""
    widths = call.values(index)
    if not widths or not all(isinstance(width, int | float) and width == width // 1 for width in _numbers(widths)):
        return None
    numbers = _numbers(widths)
    if len(numbers) != len(widths):
        return None
    bits = int(max(numbers))
    if not least <= bits <= WIDEST or min(numbers) < least:
        call.refuse("E-BITS", f"input {index} asks for {bits} bits; a width is an integer from {least} to {WIDEST}")
    return bits


def _numbers(widths: tuple[object, ...]) -> list[int | float]:
    # Beyond 2**53 nothing is a width, and infinities have no whole part.
    return [width for width in widths if isinstance(width, int | float) and abs(width) < 1 << 53]


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
    return _stated(call, fixed(known_bits(call, 3), bool(call.integer("signed", 1))))


def bipolar_quant(call: Call) -> Result:
    """y = scale where x >= 0, else -scale."""
    return _stated(call, Binary())


def float_quant(call: Call) -> Result:
    """y = x rounded to a small float: a sign, so many exponent and so many mantissa bits."""
    exponent, mantissa = known_bits(call, 2, 0), known_bits(call, 3, 0)
    if exponent is None or mantissa is None:
        return _stated(call, None)
    return _stated(call, Float(bits=exponent + mantissa + (1 if call.integer("signed", 1) else 0)))


def trunc(call: Call) -> Result:
    """y = x without its lowest bits; the output width is the last input that is a width."""
    held = call.input(0).format
    signed = call.integer("signed", 1) if "signed" in call.attributes or held is None else held.signed
    index = 4 if len(call.inputs) < 7 else 6
    if len(call.inputs) == 6:
        index = 5
    return _stated(call, fixed(known_bits(call, index), bool(signed)))


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

    format = _named_format(call.text("out_dtype", ""))
    output = Tensor(dtype=x.dtype, shape=x.shape, format=format)
    formats = {} if format is None else {"output": format}
    return Result(outputs=(output,), work=Steps(text=text), kind="threshold", formats=formats)


def _named_format(name: str) -> Format | None:
    """The format of a QONNX data type; None for floats and names not known."""
    if name in ("BIPOLAR", "TERNARY"):
        return Binary() if name == "BIPOLAR" else Ternary()
    if name == "BINARY":
        return Fixed(bits=1, integer=1, signed=False)
    match = INTEGER.fullmatch(name)
    if match is None or not 1 <= int(match[2]) <= WIDEST:
        return None
    return Fixed(bits=int(match[2]), integer=int(match[2]), signed=not match[1])


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
