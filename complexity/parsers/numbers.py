"""The numbers of constant tensors, read and computed when they are asked for: what `shapes.Known` promises.

Stored tensors are mapped from the file. A tensor made of constants by operators is computed from theirs: movements and
quantizers here, in integers where there are integers, anything else by ONNX's own reference evaluator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import ModelError
from ..shapes import Known
from .arrays import array
from .stored import StoredTensor

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from onnx import NodeProto

    Array = np.ndarray[Any, Any]

__all__ = ["LARGEST", "Computed", "Dequantized", "Integers", "Shifted", "Stored", "Varied", "located", "zero_points"]

# Operators that only move the numbers of input 0 and whose output shape says how.
RESHAPES = frozenset(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Cast", "CastLike", "Dropout"))
SIGNS = ("Neg", "Abs")
# A tensor computed from constants may not be larger than this: it is held in memory.
LARGEST = 1 << 27
# The greatest real number of 64 bits that is an integer of them.
REACH = 2.0**63 - 1024


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A tensor of the file."""

    tensor: StoredTensor

    @property
    def varied(self) -> bool:
        return False

    @property
    def whole(self) -> bool:
        return "int" in self.tensor.dtype

    def integers(self) -> Array:
        return array(self.tensor)

    def reals(self) -> Array:
        return array(self.tensor)

    def widths(self) -> None:
        return None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Integers:
    """Real numbers brought to integers: round(x / scale) + zero_point within bounds, less the zero point.

    rounding: as QONNX names it; half to even unless said.
    """

    source: Known
    scale: Array
    zero_point: Array
    low: Array
    high: Array
    rounding: str = "ROUND"
    bits: Array | None = None
    centred: bool = True

    @property
    def varied(self) -> bool:
        return self.bits is not None

    @property
    def whole(self) -> bool:
        return True

    def integers(self) -> Array:
        import numpy as np

        exact = np.asarray(self.source.reals(), np.float64) / self.scale + self.zero_point
        stored = np.clip(_rounded(np.nan_to_num(exact), self.rounding), self.low, self.high)
        kept = stored - self.zero_point if self.centred else stored
        found = np.clip(kept, -REACH, REACH).astype(np.int64)
        reach = int(np.abs(found).max(initial=0))
        narrow: Array = found.astype(np.int8 if reach < 1 << 7 else np.int32 if reach < 1 << 31 else np.int64)
        return narrow

    def reals(self) -> Array:
        return self.integers() * self.scale if self.centred else self.integers()

    def widths(self) -> Array | None:
        import numpy as np

        return None if self.bits is None else np.broadcast_to(self.bits, self.source.reals().shape)


def _rounded(exact: Array, mode: str) -> Array:
    """QONNX's rounding modes."""
    import numpy as np

    away = np.sign(exact) * np.floor(np.abs(exact) + 0.5)
    toward = np.sign(exact) * np.ceil(np.abs(exact) - 0.5)
    modes: dict[str, Array] = {
        "CEIL": np.ceil(exact),
        "FLOOR": np.floor(exact),
        "UP": np.sign(exact) * np.ceil(np.abs(exact)),
        "DOWN": np.trunc(exact),
        "ROUND_TO_ZERO": np.trunc(exact),
        "HALF_UP": away,
        "HALF_DOWN": toward,
    }
    return modes.get(mode.upper(), np.rint(exact))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Dequantized:
    """Stored integers less their zero point; what they stand for is that times a scale."""

    source: Known
    scale: Array | None
    zero_point: Array | None
    bounds: tuple[int, int] | None = None

    @property
    def varied(self) -> bool:
        return self.source.varied

    @property
    def whole(self) -> bool:
        return self.source.whole

    def integers(self) -> Array:
        import numpy as np

        stored: Array = self.source.integers()
        if self.bounds is not None:
            stored = np.clip(stored, *self.bounds)
        if self.zero_point is None or not self.zero_point.any():
            return stored
        wide = np.int16 if stored.dtype.itemsize == 1 else np.int64
        centred: Array = stored.astype(wide) - self.zero_point.astype(wide)
        return centred

    def reals(self) -> Array:
        numbers: Array = self.integers() if self.whole else self.source.reals()
        return numbers if self.scale is None else numbers * self.scale

    def widths(self) -> Array | None:
        return self.source.widths()


@dataclass(frozen=True, slots=True, eq=False)
class Shifted:
    """Integers less the zero points of an operator's input: one, one for each slice of an axis, or one a block."""

    source: Known
    zero: Known
    axis: int

    @property
    def varied(self) -> bool:
        return self.source.varied

    @property
    def whole(self) -> bool:
        return self.source.whole

    def integers(self) -> Array:
        with located(""):
            return self._centred()

    def _centred(self) -> Array:
        stored, zero = self.source.integers(), self.zero.integers()
        if not zero.any():
            return stored
        wide = "int16" if stored.dtype.itemsize == 1 else "int64"
        if zero.ndim == 2 and stored.ndim == 3:
            # Gates of a recurrent layer: one for each row of each direction.
            zeros: Array = zero.astype(wide)[:, None, :]
        else:
            zeros = zero_points(zero.astype(wide), stored.shape, self.axis)
        centred: Array = stored.astype(wide) - zeros
        return centred

    def reals(self) -> Array:
        return self.integers()

    def widths(self) -> Array | None:
        return self.source.widths()


@dataclass(frozen=True, slots=True, eq=False)
class Varied:
    """A tensor of the run of which only the bits of its numbers are known, broadcastable to its shape."""

    bits: Array

    @property
    def varied(self) -> bool:
        return True

    @property
    def whole(self) -> bool:
        return False

    def integers(self) -> Array:
        raise NotImplementedError("the numbers of a run are not known before it")

    def reals(self) -> Array:
        raise NotImplementedError("the numbers of a run are not known before it")

    def widths(self) -> Array:
        return self.bits


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Computed:
    """One output of an operator on constants; dtype and shape are those of the output, place is its node's name."""

    node: NodeProto
    index: int
    version: int
    dtype: str | None
    shape: tuple[int, ...]
    inputs: Sequence[Known | None]
    attributes: Mapping[str, object] = field(default_factory=dict)
    place: str = ""

    @property
    def varied(self) -> bool:
        return self._moves and self.inputs[0] is not None and self.inputs[0].varied

    @property
    def whole(self) -> bool:
        first = self.inputs[0] if self.inputs else None
        if first is None:
            return False
        op, second = self.node.op_type, self.inputs[1] if len(self.inputs) > 1 else None
        if op in ("Mul", "Div", "Sub", "Add") and second is not None:
            if op in ("Sub", "Add"):
                return first.whole and second.whole
            return first.whole != second.whole and (op == "Mul" or first.whole)
        if op == "Concat":
            return all(known is not None and known.whole for known in self.inputs)
        if op.startswith("Cast") and not first.whole:
            return self.dtype is not None and "int" in self.dtype
        return (self._moves or op in SIGNS) and first.whole

    @property
    def _moves(self) -> bool:
        return self.node.op_type in RESHAPES or self.node.op_type in ("Transpose", "Slice", "Gather", "Split", "Concat")

    def integers(self) -> Array:
        with located(self.place):
            return self._integers()

    def reals(self) -> Array:
        with located(self.place):
            return self._reals()

    def _integers(self) -> Array:
        op, first = self.node.op_type, self.inputs[0]
        assert first is not None
        if op in SIGNS:
            # The lowest integer has no opposite in its own type.
            wide: Array = first.integers().astype("int64")
            return -wide if op == "Neg" else abs(wide)
        if op in ("Mul", "Div"):
            import numpy as np

            held = first if first.whole else self.inputs[1]
            assert held is not None
            whole: Array = np.broadcast_to(held.integers(), self.shape)
            return whole
        return self._evaluated("integers")

    def _reals(self) -> Array:
        import numpy as np

        found = self._evaluated("reals")
        cast = self.node.op_type.startswith("Cast") and found.dtype.kind in "iu" and "float" in (self.dtype or "")
        return found.astype(np.float32) if cast else found

    def widths(self) -> Array | None:
        if not self.varied or self.inputs[0] is None:
            return None
        import numpy as np

        found = self.inputs[0].widths()
        if found is None or self.node.op_type == "Concat":
            return None
        whole = np.broadcast_to(found, self.inputs[0].reals().shape)
        with located(self.place):
            return self._run([whole, *(each.reals() if each else None for each in self.inputs[1:])])

    def _evaluated(self, what: str) -> Array:
        data = self.inputs if self.node.op_type in ("Concat", "Sub", "Add") else self.inputs[:1]
        arrays = [getattr(known, what)() if known is not None else None for known in data]
        arrays += [known.reals() if known is not None else None for known in self.inputs[len(data) :]]
        return self._run(arrays)

    def _run(self, arrays: list[Array | None]) -> Array:
        op, first = self.node.op_type, arrays[0] if arrays else None
        cut = op.startswith("Cast") and first is not None and first.dtype.kind == "f" and "int" in (self.dtype or "")
        if first is not None and op in RESHAPES and not cut:
            return first.reshape(self.shape)
        if first is not None and op == "Transpose":
            order = self.attributes.get("perm")
            return first.transpose(order if isinstance(order, tuple) else None)
        return evaluated(self.node, self.version, arrays)[self.index]


@contextmanager
def located(place: str) -> Iterator[None]:
    """What goes wrong while numbers are read is an error of the file, at the node that computes them."""
    try:
        yield
    except ModelError as error:
        raise (error if error.where or not place else error.at(place)) from None
    except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as error:
        found = ModelError("E-CONSTANT", f"the numbers of a constant cannot be computed: {error}")
        raise (found.at(place) if place else found) from None


def evaluated(node: NodeProto, version: int, arrays: Sequence[Array | None]) -> list[Array]:
    """The outputs of one node of the standard by ONNX's reference evaluator. Raises ModelError E-CONSTANT."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    if sum(each.size for each in arrays if each is not None) > LARGEST:
        raise ModelError("E-CONSTANT", f"{node.op_type} of constants is too large to be computed before the run")
    names = [f"x{place}" if each is not None else "" for place, each in enumerate(arrays)]
    inputs = [onnx.helper.make_tensor_value_info(name, 1, None) for name in names if name]
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.input[:]
    copy.input.extend(names)
    outputs = [onnx.helper.make_tensor_value_info(name, 1, None) for name in copy.output if name]
    graph = onnx.helper.make_graph([copy], "constant", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid(node.domain, version)])
    feeds = {name: each for name, each in zip(names, arrays, strict=True) if each is not None}
    try:
        found = ReferenceEvaluator(model).run(None, feeds)
    except Exception as error:  # the evaluator raises whatever its kernels raise
        raise ModelError("E-CONSTANT", f"{node.op_type} of constants cannot be computed: {error}") from None
    by_name = dict(zip([name for name in copy.output if name], found, strict=True))
    return [by_name.get(name) for name in copy.output]  # type: ignore[misc]


def zero_points(values: Array, shape: tuple[int, ...], axis: int, block: int = 0) -> Array:
    """Scales or zero points as they apply to a tensor: one, one per slice of an axis, or one per block along it."""
    import numpy as np

    if values.size == 1:
        return values.reshape(())
    if values.ndim == 1 and len(shape) > 1:
        return values.reshape([-1 if place == axis % len(shape) else 1 for place in range(len(shape))])
    if values.shape == shape:
        return values
    axis %= len(shape)
    length = min(block or -(-shape[axis] // values.shape[axis]), shape[axis])
    return np.repeat(values, length, axis=axis).take(np.arange(shape[axis]), axis=axis)
