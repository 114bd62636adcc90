"""Fourier transforms as direct sums, and the windows and filter banks that go with them."""

from __future__ import annotations

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, at_least, floor_divide, product
from ..formats import format_of_dtype
from ..ops import Role
from ..shapes import Shape, Tensor
from .element_types import element_type
from .rule import MICROSOFT, Call, Operator, Result, Steps

__all__ = ["OPERATORS"]

KNOWN = "known before the run"
SINCE_AXIS_IS_INPUT = 20


def dft(call: Call) -> Result:
    """Y[k] = sum over n: X[n] exp(-2 pi j k n / N), the inverse with + and 1/N.

    Counting: the direct sum over dft_length terms, zero padding included. A real times a complex number is 2 products,
    complex times complex 4; the real and the imaginary part of an output are each a sum of half of them. onesided
    computes dft_length//2 + 1 outputs; its inverse sums as many inputs and keeps the real part. The twiddle factors
    are constants that carry the 1/N. An FFT needs fewer products; this is the definition.
    """
    x, shape = call.input(0), call.shape(0)
    if len(shape) < 2:
        call.refuse("E-RANK", f"input 0 has rank {len(shape)}, expected 2 or more")
    parts, axis = _parts(call, shape), _dft_axis(call, len(shape))
    inverse, onesided = bool(call.integer("inverse", 0)), bool(call.integer("onesided", 0))
    if onesided and not inverse and parts == 2:
        call.refuse("E-DFT-ONESIDED", "a onesided transform needs a real input, found a complex one")
    implied = 2 * (shape[axis] - 1) if inverse and onesided else shape[axis]
    length = implied if call.given(1) is None else _scalar(call, 1, "length", 1)
    if at_least(length, 1) is False:
        call.refuse("E-DFT-LENGTH", f"a transform of {length} terms has none")
    bins = floor_divide(length, 2) + 1 if onesided else length
    terms, outputs, last = (bins, length, 1) if onesided and inverse else (length, bins, 2)
    values = product(shape[:axis]) * product(shape[axis + 1 : -1]) * outputs * last

    def text(m: Arithmetic[Signal]) -> None:
        _sums(m, m.variable(values * terms * parts, x.number), terms * parts, values)

    y = Tensor(dtype=x.dtype, shape=(*shape[:axis], outputs, *shape[axis + 1 : -1], last))
    return Result(outputs=(y,), work=Steps(text=text), kind="dft")


def rfft(call: Call) -> Result:
    """The onesided DFT of the last axis of real numbers, and its inverse Irfft, over which no parts are kept."""
    inverse, x, shape = call.op == "Irfft", call.input(0), call.shape(0)
    if call.integer("signal_ndim", 1) != 1:
        call.unknown(f"no rule for a transform over {call.integer('signal_ndim', 1)} axes at once")
    if len(shape) < 1 + inverse:
        call.refuse("E-RANK", f"input 0 has rank {len(shape)}, expected {1 + inverse} or more")
    parts = _parts(call, shape) if inverse else 1
    others, size = (shape[:-2], shape[-2]) if inverse else (shape[:-1], shape[-1])
    if at_least(size, 1 + inverse) is False:
        call.refuse("E-DFT-LENGTH", f"a transform of {size} values has too few, expected {1 + inverse} or more")
    outputs = 2 * (size - 1) if inverse else floor_divide(size, 2) + 1
    values = product(others) * outputs * (1 if inverse else 2)

    def text(m: Arithmetic[Signal]) -> None:
        _sums(m, m.variable(values * size * parts, x.number), size * parts, values)

    y = Tensor(dtype=x.dtype, shape=(*others, outputs) if inverse else (*others, outputs, 2))
    return Result(outputs=(y,), work=Steps(text=text), kind="dft")


def stft(call: Call) -> Result:
    """The DFT of every windowed frame: frames start every frame_step samples.

    Counting: the window is one product per sample of a frame (two for a complex signal), then the direct sums of DFT.
    """
    x, shape = call.input(0), call.shape(0, 3)
    parts, window = _parts(call, shape), call.given(2)
    onesided = bool(call.integer("onesided", 1))
    if onesided and parts == 2 and "onesided" in call.attributes:
        call.refuse("E-DFT-ONESIDED", "a onesided transform needs a real input, found a complex one")
    length = _frame_length(call, shape[1])
    step = _scalar(call, 1, "step", 1)
    if at_least(shape[1], length) is False:
        call.refuse("E-STFT-FRAME", f"a frame of {length} samples does not fit a signal of {shape[1]}")
    frames = floor_divide(shape[1] - length, step) + 1
    bins = floor_divide(length, 2) + 1 if onesided else length
    values = shape[0] * frames * bins * 2
    samples = shape[0] * frames * length * parts

    def text(m: Arithmetic[Signal]) -> None:
        signal = m.variable(samples, x.number)
        if window is not None:
            taps = m.constant if window.constant else m.variable
            signal = m.requantize(m.multiply(signal, taps(samples, window.number), role=Role.SCALE), x.number)
        _sums(m, m.broadcast(signal, values * length * parts), length * parts, values)

    y = Tensor(dtype=x.dtype, shape=(shape[0], frames, bins, 2))
    return Result(outputs=(y,), work=Steps(text=text), kind="stft")


def _sums(m: Arithmetic[Signal], x: Signal, terms: Size, outputs: Size) -> None:
    twiddles = m.constant(outputs * terms, x.format)
    m.dot(x, twiddles, terms=terms, outputs=outputs, role=Role.TRANSFORM)


def _parts(call: Call, shape: Shape) -> int:
    """1 for a real input, 2 for a complex one: its last size."""
    parts = shape[-1]
    if not isinstance(parts, int):
        call.unknown(f"whether the input is real or complex depends on {parts}")
    if parts not in (1, 2):
        call.refuse("E-DFT-PARTS", f"the last axis has size {parts}, expected 1 (real) or 2 (complex)")
    return parts


def _dft_axis(call: Call, rank: int) -> int:
    """The signal axis: an attribute up to opset 19, input 2 from 20 on; the last axis holds the parts."""
    default = 1 if 0 < call.version < SINCE_AXIS_IS_INPUT else -2
    if call.given(2) is None:
        value = call.integer("axis", default)
    else:
        known = call.sizes(2)
        if known is None or len(known) != 1 or not isinstance(known[0], int):
            call.unknown("the axis (input 2) is unknown")
        value = known[0]
    axis = call.axis(value, rank)
    if axis == rank - 1:
        call.refuse("E-AXIS", f"axis {value} is the axis of real and imaginary parts")
    return axis


def _scalar(call: Call, index: int, name: str, least: int) -> Size:
    """A size given as an input; unknown, it is a free size named after the node."""
    known = call.sizes(index)
    if known is None:
        call.input(index)
        return call.symbol(name)
    if len(known) != 1:
        call.refuse("E-SCALAR", f"input {index} holds {len(known)} values, expected 1")
    if at_least(known[0], least) is False:
        call.refuse("E-SCALAR", f"input {index} is {known[0]}, expected {least} or more")
    return known[0]


def _frame_length(call: Call, signal: Size) -> Size:
    window = call.given(2)
    spanned = None
    if window is not None and window.shape is not None:
        spanned = call.shape(2, 1)[0]
    if call.given(3) is not None and (call.sizes(3) is not None or spanned is None):
        length = _scalar(call, 3, "length", 1)
    elif window is None:
        length = signal
    elif spanned is None:
        call.unknown("the length of the window is unknown")
    else:
        length = spanned
    if isinstance(spanned, int) and isinstance(length, int) and spanned != length:
        call.refuse("E-STFT-WINDOW", f"the window has {spanned} samples, a frame {length}")
    if at_least(length, 1) is False:
        call.refuse("E-STFT-FRAME", f"a frame of {length} samples has none")
    return length


def cosine_window(call: Call) -> Result:
    """w[n] = a - b cos(2 pi n / N) + c cos(4 pi n / N), c = 0 but for the Blackman window.

    Counting: nothing where the size is known. Else, for each sample and cosine, a product for its angle, one for its
    weight, the cosine and an addition or subtraction.
    """
    dtype = element_type(call, "output_datatype") if "output_datatype" in call.attributes else "float32"
    size, cosines = _scalar(call, 0, "size", 0), 2 if call.op == "BlackmanWindow" else 1
    y = Tensor(dtype=dtype, shape=(size,))
    if call.folded:
        return Result(outputs=(y,), free=KNOWN)
    number = format_of_dtype("float32")

    def text(m: Arithmetic[Signal]) -> None:
        sample, constant, role = m.variable(size, number), m.constant(size, number), Role.ELEMENTWISE
        total = constant
        for verb in (m.subtract, m.add)[:cosines]:
            wave = m.lookup(m.multiply(sample, constant, role=role), "cos", result=number, role=role)
            total = verb(total, m.multiply(wave, constant, role=role), role=role)

    return Result(outputs=(y,), work=Steps(text=text), kind="window")


def mel_weights(call: Call) -> Result:
    """W[j, i] = max(0, min((j - f[i]) / (f[i+1] - f[i]), (f[i+2] - j) / (f[i+2] - f[i+1]))), f even on the mel scale.

    Counting: nothing where all inputs are known. Else each weight is 2 subtractions, 2 divisions and 2 comparisons;
    each of the bins + 2 edges a product, an addition, an exp, and the product, division and rounding that make it a
    bin; each of the two limits a division, an addition, a log and a product.
    """
    dtype = element_type(call, "output_datatype") if "output_datatype" in call.attributes else "float32"
    bands, length = _scalar(call, 0, "bands", 0), _scalar(call, 1, "length", 0)
    bins = floor_divide(length, 2) + 1
    y = Tensor(dtype=dtype, shape=(bins, bands))
    if call.folded:
        return Result(outputs=(y,), free=KNOWN)
    number = format_of_dtype("float32")

    def text(m: Arithmetic[Signal]) -> None:
        role = Role.ELEMENTWISE
        limit, edge, weight = (m.variable(size, number) for size in (2, bands + 2, bins * bands))
        mel = m.lookup(m.add(m.lookup(limit, "division", role=role), limit, role=role), "log", result=number, role=role)
        m.multiply(mel, m.constant(2, number), role=role)
        place = m.add(m.multiply(edge, edge, role=role), edge, role=role)
        hertz = m.lookup(place, "exp", result=number, role=role)
        ratio = m.lookup(m.multiply(hertz, edge, role=role), "division", result=number, role=role)
        m.lookup(ratio, "round", role=role)
        for _ in range(2):
            slope = m.lookup(m.subtract(weight, weight, role=role), "division", result=number, role=role)
            m.compare(slope, m.constant(bins * bands, number), role=role)

    return Result(outputs=(y,), work=Steps(text=text), kind="mel weights")


REAL = "normalized onesided signal_ndim"
WINDOWS = ("HannWindow", "HammingWindow", "BlackmanWindow")

OPERATORS = (
    Operator(name="DFT", rule=dft, inputs=(1, 3), attributes="axis inverse onesided", settings=(1, 2)),
    *(Operator(name=name, rule=rfft, attributes=REAL, domain=MICROSOFT) for name in ("Rfft", "Irfft")),
    Operator(name="STFT", rule=stft, inputs=(2, 4), attributes="onesided", settings=(1, 3)),
    *(
        Operator(name=name, rule=cosine_window, attributes="output_datatype periodic", settings=(0,))
        for name in WINDOWS
    ),
    Operator(
        name="MelWeightMatrix",
        rule=mel_weights,
        inputs=(5, 5),
        attributes="output_datatype",
        settings=(0, 1, 2, 3, 4),
    ),
)
