"""The layers of the catalogue run number by number: plain loops over scalars that count what is done to them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from reference.counting import Number, act, larger, total

__all__ = ["CELLS", "counted"]

Vector = list[Number]
Row = Sequence[Number | float]
RANDOM = random.Random(5)
SPECIAL: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "reciprocal": lambda x: 1 / x,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "arctan": math.atan,
    "basis": math.sin,
}


def counted(kind: str, **fields: object) -> dict[str, int]:
    """Products, additions, comparisons and special functions of one inference."""
    Number.counts.clear()
    CELLS[kind](**fields)
    counts = dict(Number.counts)
    plain = {name: counts.pop(name, 0) for name in ("rm", "add", "cmp")}
    return {**plain, "act": sum(counts.values())}


def fed(size: int) -> Vector:
    """Numbers that come from outside."""
    return [Number(RANDOM.uniform(-1, 1)) for _ in range(size)]


def weights(size: int) -> list[float]:
    """Numbers known before the run."""
    return [RANDOM.uniform(-1, 1) for _ in range(size)]


def dot(row: Row, values: Row) -> Number:
    """A sum of products, from the left."""
    return total([b * a for a, b in zip(row, values, strict=True)])  # type: ignore[misc]


def each(name: str, values: Sequence[Number]) -> Vector:
    """A special function of every number."""
    return [act(name, SPECIAL[name], value) for value in values]


def net(x: Row, h: Row, units: int, bias: bool = True) -> Vector:
    """W x + U h + b with weights of its own."""
    found = [dot(weights(len(x)), x) + dot(weights(len(h)), h) for _ in range(units)]
    return [value + RANDOM.uniform(-1, 1) for value in found] if bias else found


def both_ways(step: Callable[..., object]) -> Callable[..., None]:
    """A cell run for `steps` steps, twice where it is bidirectional."""

    def run(*, steps: int = 1, inputs: int, hidden: int, bidirectional: bool = False, **options: object) -> None:
        for _ in range(2 if bidirectional else 1):
            for _ in range(steps):
                step(fed(inputs), fed(hidden), **options)

    return run


def rnn(x: Vector, h: Vector, bias: bool = True) -> Vector:
    return each("tanh", net(x, h, len(h), bias))


def lstm(x: Vector, h: Vector, bias: bool = True, peepholes: bool = False) -> Vector:
    n, c = len(h), fed(len(h))

    def gate(cell: Vector) -> Vector:
        value = net(x, h, n, bias)
        return each("sigmoid", [v + s * 0.5 for v, s in zip(value, cell, strict=True)] if peepholes else value)

    i, f, g = gate(c), gate(c), each("tanh", net(x, h, n, bias))
    c = [f[u] * c[u] + i[u] * g[u] for u in range(n)]
    o, squashed = gate(c), each("tanh", c)
    return [o[u] * squashed[u] for u in range(n)]


def lstm1997(x: Vector, h: Vector, bias: bool = True) -> Vector:
    n, c = len(h), fed(len(h))
    i, o = each("sigmoid", net(x, h, n, bias)), each("sigmoid", net(x, h, n, bias))
    g = each("tanh", net(x, h, n, bias))
    squashed = each("tanh", [c[u] + i[u] * g[u] for u in range(n)])
    return [o[u] * squashed[u] for u in range(n)]


def blend(z: Vector, new: Vector, old: Vector) -> Vector:
    """(1 - z) new + z old."""
    return [(1 - a) * b + a * c for a, b, c in zip(z, new, old, strict=True)]


def gru(x: Vector, h: Vector, bias: bool = True, linear_before_reset: bool = False) -> Vector:
    n = len(h)
    z, r = each("sigmoid", net(x, h, n, bias)), each("sigmoid", net(x, h, n, bias))
    if linear_before_reset:
        inner = [dot(weights(n), h) for _ in range(n)]
        inner = [value + 0.1 for value in inner] if bias else inner
        reset = [dot(weights(len(x)), x) + r[u] * inner[u] for u in range(n)]
        candidate = [value + 0.1 for value in reset] if bias else reset
    else:
        candidate = net(x, [r[u] * h[u] for u in range(n)], n, bias)
    return blend(z, each("tanh", candidate), h)


def nc_gru(x: Vector, h: Vector, bias: bool = True) -> Vector:
    n = len(h)
    z, r = each("sigmoid", net(x, h, n, bias)), each("sigmoid", net(x, h, n, bias))
    inner = net(x, [r[u] * h[u] for u in range(n)], n, bias=False)
    signs = [math.copysign(1, value.value) for value in inner]
    sizes = [Number(abs(value.value)) for value in inner]
    lifted = [larger(size + 0.1 if bias else size, Number(0)) for size in sizes]
    candidate = [Number(math.copysign(value.value, sign)) for value, sign in zip(lifted, signs, strict=True)]
    return blend(z, candidate, h)


def gatel0rd(x: Vector, h: Vector, outputs: int, open_units: int | None = None) -> Vector:
    n = len(h)
    opened = n if open_units is None else open_units
    gate = [larger(value, Number(0)) for value in each("tanh", net(x, h, n))]
    new = each("tanh", net(x, h, opened))
    h = [gate[u] * new[u] + (1 - gate[u]) * h[u] for u in range(opened)] + h[opened:]
    p, o = each("tanh", net(x, h, outputs)), each("sigmoid", net(x, h, outputs))
    return [a * b for a, b in zip(p, o, strict=True)]


def stpn(x: Vector, h: Vector, merged: bool = True) -> list[Vector]:
    both, n = [*x, *h], len(h)
    fixed, plastic = [weights(len(both)) for _ in range(n)], [fed(len(both)) for _ in range(n)]
    nets = []
    for w, f in zip(fixed, plastic, strict=True):
        if merged:
            nets.append(dot([b + a for a, b in zip(w, f, strict=True)], both))
        else:
            nets.append(dot(w, both) + dot(f, both))
    new = each("tanh", [value + 0.1 for value in nets])
    return [[f * 0.9 + 0.1 * (new[u] * v) for f, v in zip(plastic[u], both, strict=True)] for u in range(n)]


def mixture(u: Vector, centroids: int) -> Vector:
    """The state as a mixture of centroids."""
    centres = [weights(len(u)) for _ in range(centroids)]
    powers = each("exp", [dot(centre, u) for centre in centres])
    (inverse,) = each("reciprocal", [total(powers)])
    shares = [power * inverse for power in powers]
    return [dot([centre[j] for centre in centres], shares) for j in range(len(u))]


def sr_gru(x: Vector, h: Vector, centroids: int) -> Vector:
    return mixture(gru(x, h, bias=False), centroids)


def sr_lstm(x: Vector, h: Vector, centroids: int, peepholes: bool = False) -> Vector:
    return mixture(lstm(x, h, peepholes=peepholes), centroids)


def encoded(x: Vector, h: Vector) -> None:
    """The two angles of every qubit."""
    both = [*x, *h]
    each("arctan", both)
    each("arctan", [value * value for value in both])


def read(h: Vector, outputs: int) -> Vector:
    """A readout without bias."""
    return [dot(weights(len(h)), h) for _ in range(outputs)]


def qrnn_rnn(x: Vector, h: Vector, outputs: int, depth: int) -> Vector:
    encoded(x, h)
    return read(fed(len(h)), outputs)


def qrnn_lstm(x: Vector, h: Vector, outputs: int, depth: int) -> Vector:
    n, c = len(h), fed(len(h))
    encoded(x, h)
    i, f, o = (each("sigmoid", fed(n)) for _ in range(3))
    g = each("tanh", fed(n))
    squashed = each("tanh", [f[u] * c[u] + i[u] * g[u] for u in range(n)])
    return read([o[u] * squashed[u] for u in range(n)], outputs)


def qrnn_gru(x: Vector, h: Vector, outputs: int, depth: int) -> Vector:
    n = len(h)
    encoded(x, h)
    z, r = each("sigmoid", fed(n)), each("sigmoid", fed(n))
    [r[u] * h[u] for u in range(n)]
    return read(blend(z, each("tanh", fed(n)), h), outputs)


def esn(
    *,
    steps: int,
    inputs: int,
    reservoir: int,
    nonzeros_per_row: int,
    outputs: int,
    leaky: bool = True,
    bias: bool = False,
    readout_bias: bool = False,
) -> None:
    for _ in range(steps):
        x, s = fed(inputs), fed(reservoir)
        kept = s[:nonzeros_per_row]
        new = each("tanh", net(x, kept, reservoir, bias))
        s = [a * 0.7 + b * 0.3 for a, b in zip(s, new, strict=True)] if leaky else new
        y = read(s, outputs)
        [value + 0.1 for value in y] if readout_bias else y


def esn_pod(*, steps: int, inputs: int, reservoir: int, outputs: int, rank: int) -> None:
    for _ in range(steps):
        u, z = fed(inputs), fed(rank)
        back = read(each("tanh", net(u, z, reservoir)), rank)
        read([a * 0.7 + b * 0.3 for a, b in zip(z, back, strict=True)], outputs)


def esn_deim(*, steps: int, inputs: int, reservoir: int, outputs: int, rank: int, samples: int) -> None:
    esn_pod(steps=steps, inputs=inputs, reservoir=samples, outputs=outputs, rank=rank)


def organism(*, inputs: int, units: int, particle: Sequence[int] = (5, 2, 2, 1)) -> None:
    for _ in range(units):
        sums = []
        for _ in range(inputs):
            value = fed(particle[0])
            for width in particle[1:]:
                value = read(value, width)
            sums.append(value[0])
        total(sums)


def dense(*, inputs: int, units: int, steps: int = 1, bias: bool = True) -> None:
    for _ in range(steps):
        y = read(fed(inputs), units)
        [value + 0.1 for value in y] if bias else y


def kan(*, inputs: int, units: int, order: int = 3, grid: int = 5, basis: str = "bspline") -> None:
    size = {"bspline": order + 1, "grbf": grid, "chebyshev": order + 1, "fourier": 2 * grid}[basis]
    values = [each("basis", fed(size)) for _ in range(inputs)]
    base = each("basis", fed(inputs)) if basis in ("bspline", "grbf") else []
    for _ in range(units):
        if basis != "bspline":
            dot(weights(size * inputs + len(base)), [*base, *(v for row in values for v in row)])
            continue
        splines = [dot(weights(size), row) * 0.5 for row in values]
        [b * 0.5 for b in base]  # the branches are merged free of charge, as published
        total(splines)


def windows(length: int, taps: int, padding: Sequence[int], stride: int, dilation: int) -> int:
    """Output positions, found by sliding."""
    last = length + sum(padding) - (taps - 1) * dilation
    return len(range(0, last, stride))


def conv1d(
    *,
    length: int,
    channels: int,
    filters: int,
    kernel_size: int,
    padding: Sequence[int] = (0, 0),
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = True,
) -> None:
    for _ in range(windows(length, kernel_size, padding, stride, dilation)):
        dense(inputs=channels // groups * kernel_size, units=filters, bias=bias)


def conv2d(
    *, height: int, width: int, channels: int, filters: int, kernel_size: Sequence[int], padding: Sequence[int] = (0, 0)
) -> None:
    rows = windows(height, kernel_size[0], (padding[0], padding[0]), 1, 1)
    columns = windows(width, kernel_size[1], (padding[1], padding[1]), 1, 1)
    for _ in range(rows * columns):
        dense(inputs=channels * kernel_size[0] * kernel_size[1], units=filters)


STEPS = (rnn, lstm, lstm1997, gru, nc_gru, gatel0rd, stpn, sr_gru, sr_lstm, qrnn_rnn, qrnn_lstm, qrnn_gru)
WHOLE = (esn, esn_pod, esn_deim, organism, dense, kan, conv1d, conv2d)
CELLS: dict[str, Callable[..., None]] = {
    **{step.__name__: both_ways(step) for step in STEPS},
    **{layer.__name__: layer for layer in WHOLE},
}
