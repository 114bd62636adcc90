"""A row of a report as the layers whose kernels are proved: formats with their binary points, weights as integers.

The integers are those that `exact` counts: of the file where they lie, real numbers rounded to the format asked for. A
bias counts units of the sum it joins.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from .accounting import Matrix, Signal, count
from .accounting.exact import ExactCounter
from .catalogue import Part
from .errors import quoted
from .expressions import Size
from .formats import AdditivePowerOfTwo, Fixed, Format, PowerOfTwo
from .layers.contraction import Contraction
from .layers.dense import Dense
from .layers.layer import Layer
from .layers.recurrent import Recurrent
from .network import Row
from .ops import Kind, Role
from .works import Work, layer_of

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Piece", "Unprovable", "Wanted", "operands_of", "pieces_of"]

DIRECTIONS = ("forward", "backward")
# Styles of real multipliers: in the others the digits of weights have no width together.
REAL = (None, "mac")


class Unprovable(Exception):
    """Why a row is listed and not proved; no fault of the input, for the other rows are proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How rows are to be proved. drawn: leave the weights of the file unread. style: that of the kernels, None for each
    layer's own. most: products that one execution may have. accumulator: the width declared for the network."""

    drawn: bool = False
    style: str | None = None
    most: int | None = None
    accumulator: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One kernel of a row. repeat: how often the part's executions are the row's; a bidirectional row has two pieces.

    weights: integers by the equations' names, empty where they are drawn. missing: constants the file has, but not as
    integers: they are drawn. apart: weights are the stored integers, their zero points are taken off outside. scaled: a
    cell's integers mean other real numbers than its formats say, so that its activations are those of the formats.
    """

    part: Part
    repeat: int
    weights: Mapping[str, tuple[int, ...]]
    missing: tuple[str, ...] = ()
    apart: bool = False
    scaled: bool = False


def pieces_of(row: Row, wanted: Wanted) -> list[Piece]:
    """The kernels of a row. Raises: Unprovable with the reason; ModelError where its weights cannot be read."""
    if row.work is None:
        raise Unprovable(f"there is no kernel of {quoted(row.op, 40)}")
    layer = layer_of(row.work)
    if isinstance(layer, Work):
        return [_worked(row, layer)]
    _check(layer)
    _check_size(layer, wanted.most)
    known = {name: matrix for name, matrix in row.operands.items() if name not in ("partial", "input")}
    if any(matrix.varied for matrix in row.operands.values()):
        raise Unprovable("its numbers have widths of their own, a kernel has one for all numbers of an operand")
    rows = _rows(layer, row, None if wanted.drawn else known.get("weight"))
    single, directions = _single(layer, rows), getattr(layer, "directions", 1)
    _check_size(single, wanted.most)
    arrays: dict[str, list[int]] = {}
    missing: list[str] = []
    apart = False
    if not wanted.drawn and getattr(layer, "constant", True):
        arrays, missing = _read(layer, known)
        if wanted.style in REAL and (stored := _stored(layer, known, arrays)) is not None:
            arrays["weight"], apart = stored, True
        single = _placed(single, known, arrays, wanted.style)
    alike = isinstance(layer, Contraction)
    repeat = 1 if alike else _whole(layer.executions) // (_whole(single.executions) * directions)
    width = row.accumulator or wanted.accumulator
    return [
        Piece(
            part=Part(name=name, layer=single, accumulator=width, formats_from=row.formats_from),
            repeat=repeat,
            weights={each: _share(values, index, directions) for each, values in arrays.items()},
            missing=tuple(missing),
            apart=apart,
            scaled=isinstance(layer, Recurrent) and _scaled(layer, row),
        )
        for index, name in enumerate(_names(row.path, directions))
    ]


def _worked(row: Row, layer: Work) -> Piece:
    """The kernel of an operator that is no layer: one element, window or row, constants of the file drawn."""
    if not layer.wired:
        raise Unprovable(f"there is no kernel of {quoted(row.op, 40)}")
    if not _whole(layer.executions):
        raise Unprovable("it never runs: a size is 0")
    return Piece(part=Part(name=row.path, layer=layer, formats_from=row.formats_from), repeat=1, weights={})


def operands_of(part: Part, weights: Mapping[str, tuple[int, ...]]) -> dict[str, Matrix]:
    """The weights of a piece as counting reads them: matrices row by row, the others one by one."""
    rows = next(size for each in ("units", "filters", "hidden", "outputs") if (size := getattr(part.layer, each, None)))

    def matrix(values: tuple[int, ...], outputs: int) -> Matrix:
        return replace(Matrix.of(values), arrange=lambda array: array.reshape(outputs, -1), _trees={})

    return {
        name: matrix(values, rows if name.startswith(("weight", "recurrent")) else len(values))
        for name, values in weights.items()
    }


def _names(path: str, directions: int) -> list[str]:
    return [path] if directions == 1 else [f"{path} ({way})" for way in DIRECTIONS]


def _scaled(layer: Recurrent, row: Row) -> bool:
    """Whether a step or a zero point of the file is not that of the format."""
    for name, encoding in row.encodings.items():
        if name.startswith("bias"):
            continue
        recurs = name.startswith(("recurrent", "peephole"))
        format = layer.recurrent if recurs else layer.weight if name.startswith("weight") else layer.input
        if encoding.shift is None or encoding.zero_point != 0 or -encoding.shift != format.fraction:
            return True
    return False


def _share(values: list[int], index: int, directions: int) -> tuple[int, ...]:
    """The numbers of one direction: the first half, or the second."""
    each = len(values) // directions
    return tuple(values[index * each : (index + 1) * each])


def _whole(size: Size) -> int:
    assert isinstance(size, int), "the exact convention has refused free sizes"
    return size


def _check(layer: Layer) -> None:
    """Refuse floats, and what never runs."""
    for name, format in layer.formats.items():
        if format.floating and name != "accumulator":
            raise Unprovable(f"{name} is {quoted(format)}, a kernel needs fixed point; give formats with --quant w8a8")
    if not _whole(layer.executions):
        raise Unprovable("it never runs: a size is 0")


def _check_size(single: Layer, most: int | None) -> None:
    counted = count(single, "exact")
    products = sum(_whole(times) for op, times in counted if op.kind is Kind.MULTIPLY) // _whole(single.executions)
    if not products:
        raise Unprovable("it has no products: a size is 0")
    if most is not None and products > most:
        raise Unprovable(f"its kernel has {products:,} products, --max-products allows {most:,}")


def _rows(layer: Layer, row: Row, weight: Matrix | None) -> int:
    """Outputs that have weights of their own."""
    if weight is not None:
        return weight.outputs
    shape = row.outputs[0] if row.outputs else None
    last = shape[-1] if shape else None
    return last if isinstance(last, int) else 1


def _single(layer: Layer, rows: int) -> Layer:
    """The layer of one kernel: all rows of weights as a dense layer, one direction of a recurrent one."""
    if isinstance(layer, Recurrent):
        return replace(layer, bidirectional=False, batch=1, steps=layer.steps * layer.batch)
    if not isinstance(layer, Contraction):
        return layer
    sums = _whole(layer.outputs) * _whole(layer.vectors)
    if not layer.constant:
        return replace(layer, outputs=min(sums, 1), vectors=sums)
    if not rows or sums % rows:
        raise Unprovable(f"{rows} rows of weights make {sums} sums: not a whole number of times")
    return Dense(
        empty=True,
        inputs=layer.terms,
        units=rows,
        steps=sums // rows,
        bias=False,
        weight=layer.weight,
        input=layer.input,
        activation=layer.activation,
    )


class _Sums(ExactCounter):
    """Notes which constants the equations ask for, and the binary points of sums that biases join."""

    def __init__(self, operands: Mapping[str, Matrix]) -> None:
        ExactCounter.__init__(self, None, operands)
        self.asked: dict[str, Size] = {}
        self.points: dict[int, int] = {}

    def constant(self, elements: Size, format: Format, name: str = "", *, value: Fraction | None = None) -> Signal:
        self.asked[name] = elements
        return ExactCounter.constant(self, elements, format, name, value=value)

    def add(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        if role is Role.BIAS and right.matrix is not None:
            self.points[id(right.matrix)] = left.fraction
        return ExactCounter.add(self, left, right, role=role)


def _read(layer: Layer, known: Mapping[str, Matrix]) -> tuple[dict[str, list[int]], list[str]]:
    """The constants that the equations ask for: as integers in index order, and those that are none."""
    sums, found, missing = _Sums(known), dict[str, list[int]](), list[str]()
    layer.equations(sums)
    for name in sums.asked:
        matrix = known.get(name)
        if matrix is None:
            missing += [name] if name else []
            continue
        if name.startswith("bias"):
            values = matrix.steps(sums.points.get(id(matrix), 0))
        else:
            values = list(map(int, matrix.array.reshape(-1).tolist())) if matrix.whole else None
        if values is None:
            missing.append(name)
        else:
            found[name] = values
    if lost := [name for name in missing if not name.startswith("bias")]:
        raise Unprovable(f"the integers of {lost[0]} are not known before the run; --random-weights draws them")
    return found, missing


def _stored(layer: Layer, known: Mapping[str, Matrix], read: Mapping[str, list[int]]) -> list[int] | None:
    """The weights of a sum of products with their zero point, where their format holds them only so.

    A multiplier is as wide as what is stored; what the zero point adds to a sum is charged as requantization.
    """
    if isinstance(layer, Recurrent) or "weight" not in read or _fits(layer.weight, read["weight"]):
        return None
    source = getattr(known["weight"].numbers_of, "source", None)
    if source is None or not source.whole:
        return None
    found = list(map(int, known["weight"].arrange(source.integers()).reshape(-1).tolist()))
    return found if _fits(layer.weight, found) else None


def _fits(format: Format, values: Collection[int]) -> bool:
    low, high = format.interval
    return low <= min(values, default=low) and max(values, default=high) <= high


def _placed(layer: Layer, known: Mapping[str, Matrix], read: Mapping[str, list[int]], style: str | None) -> Layer:
    """The layer with formats that say where the binary points of its weights are."""
    names = [name for name in read if not name.startswith("bias")]
    recurs = {name: read[name] for name in names if name.startswith(("recurrent", "peephole"))}
    projects = {name: read[name] for name in names if name not in recurs}
    found = replace(layer, weight=_format(layer.weight, known, projects, style))
    if not isinstance(found, Recurrent):
        return found
    return replace(found, recurrent=_format(found.recurrent, known, recurs, style))


def _format(format: Format, known: Mapping[str, Matrix], read: Mapping[str, list[int]], style: str | None) -> Format:
    points = {known[name].fraction for name in read}
    if len(points) > 1:
        raise Unprovable("its gates' weights have binary points of their own, a kernel has one for all of them")
    values = [end for each in read.values() if each for end in (min(each), max(each))]
    if not _fits(format, values):
        low, high = min(values), max(values)
        if style in REAL:
            raise Unprovable(
                f"its weights less their zero point are {low}..{high}, {format} does not hold them; "
                "--style shiftadd needs no format of theirs"
            )
        bits = max(high, -low - 1).bit_length() + 1
        return Fixed(bits=bits, integer=bits)
    point = next(iter(points), None)
    if point is None or not isinstance(format, Fixed | PowerOfTwo | AdditivePowerOfTwo):
        return format
    return replace(format, integer=format.bits - point)
