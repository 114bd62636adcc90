"""Distributed arithmetic: sums of products by known numbers as the optional solver da4ml shares them.

The solver's list of operations is taken over one by one, additions, subtractions and negations as they stand, and is
counted a second time from that list alone, with interval arithmetic on fractions: of its own widths those after a
shift at an input, and those beyond 24 bits, are estimates.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any

from nncomplexity.ops import Kind

from .bundles import UnsupportedLayer
from .netlist import Operand
from .plans import Matrix, Output, Plan, Step
from .tools import ToolError

__all__ = ["Listed", "da_plan", "listed", "solver_version"]

# The solver reads single precision, and its time grows with the fourth power of a matrix's sides.
EXACT = 1 << 24
MOST = 1 << 14
# From here on without its search over all decompositions: a hundredth more additions in an eighth of the time.
LARGE = 1 << 10
KINDS = {0: Kind.ADD, 1: Kind.SUBTRACT}
ENTERS = -1


def solver_version() -> str:
    """Name and version of the solver. Raises: ToolError E-TOOL-MISSING."""
    if find_spec("da4ml") is None:
        raise ToolError("E-TOOL-MISSING", "style da needs the solver da4ml: pip install nncomplexity[da]")
    return f"da4ml {metadata.version('da4ml')}"


@lru_cache(maxsize=64)
def _solved(weights: Matrix, interval: tuple[int, int]) -> Any:
    """What the solver gives for a matrix, its stages in order."""
    import numpy as np

    solver_version()
    matrix = np.array(weights, object)
    if matrix.size > MOST or max(map(abs, matrix.ravel())) >= EXACT:
        fact = f"the solver da4ml takes up to {MOST} weights of up to 24 bits; choose style shiftadd or shared"
        raise UnsupportedLayer(fact)
    settings = {"search_all_decompose_dc": False, "decompose_dc": -1} if matrix.size > LARGE else {}
    ends = [(float(interval[0]), float(interval[1]), 1.0)] * matrix.shape[1]
    solve = import_module("da4ml.cmvm").solve
    # It reads the bytes as they lie.
    kernel = np.ascontiguousarray(matrix.T, np.float32)
    stages = solve(kernel, qintervals=ends, **settings).solutions
    strange = {op.opcode for stage in stages for op in stage.ops} - {ENTERS, *KINDS}
    if strange:
        raise ToolError("E-DA-KERNEL", f"{solver_version()} uses operation {min(strange)}, expected sums alone")
    return stages


@lru_cache(maxsize=64)
def da_plan(weights: Matrix, interval: tuple[int, int]) -> Plan:
    """The solver's additions for a matrix [outputs, terms] whose inputs are integers of an interval.

    Raises: ToolError E-TOOL-MISSING, E-DA-KERNEL; UnsupportedLayer E-KERNEL-LAYER for a matrix it does not take.
    """
    inputs = len(weights[0])
    if not any(map(any, weights)):
        return Plan(inputs=inputs, steps=(), outputs=(None,) * len(weights))
    # A node and the power of two it stands for; None is 0.
    values: list[tuple[int, int] | None] = [(place, 0) for place in range(inputs)]
    steps: list[Step] = []

    def made(step: Step) -> int:
        steps.append(step)
        return inputs + len(steps) - 1

    for stage, used, read in _reached(weights, interval):
        held: dict[int, tuple[int, int]] = {}
        for place in used:
            op = stage.ops[place]
            if op.opcode == ENTERS:
                node, power = _known(values[op.id0])
                held[place] = node, power + stage.inp_shifts[op.id0]
                continue
            (left, one), (right, other) = held[op.id0], held[op.id1]
            least = min(one, other + op.data)
            operands = Operand(left, one - least), Operand(right, other + op.data - least)
            held[place] = made(Step(KINDS[op.opcode], *operands)), least
        values = [None] * len(stage.out_idxs)
        for output in read:
            node, power = held[stage.out_idxs[output]]
            node = made(Step(Kind.NEGATE, Operand(node), Operand(node))) if stage.out_negs[output] else node
            values[output] = node, power + stage.out_shifts[output]
    if any(value and value[1] < 0 for value in values):
        raise ToolError("E-DA-KERNEL", f"{solver_version()} leaves bits behind the binary point of an integer sum")
    outputs = tuple(Output(Operand(*value)) if value else None for value in values)
    return Plan(inputs=inputs, steps=tuple(steps), outputs=outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The solver's operations, counted from its list. additions: (subtraction, width, passed); negations: width."""

    additions: Counter[tuple[bool, int, int]]
    negations: Counter[int]


def listed(weights: Matrix, interval: tuple[int, int]) -> Listed:
    """What the solver's list for a matrix consists of. Raises: as `da_plan`."""
    found = Listed(additions=Counter(), negations=Counter())
    if not any(map(any, weights)):
        return found
    # Smallest and largest value, and the place of the lowest bit.
    Span = tuple[Fraction, Fraction, Fraction]
    values: list[Span | None] = [(Fraction(interval[0]), Fraction(interval[1]), Fraction(1))] * len(weights[0])
    for stage, used, read in _reached(weights, interval):
        held: dict[int, Span] = {}
        for place in used:
            op = stage.ops[place]
            if op.opcode == ENTERS:
                low, high, unit = _scaled(_known(values[op.id0]), stage.inp_shifts[op.id0])
            else:
                one, other = held[op.id0], _scaled(held[op.id1], op.data)
                ends = (other[0], other[1]) if KINDS[op.opcode] is Kind.ADD else (-other[1], -other[0])
                low, high, unit = one[0] + ends[0], one[1] + ends[1], min(one[2], other[2])
                width = _bits(low / unit, high / unit)
                passed = int(max(one[2], other[2]) / unit).bit_length() - 1
                found.additions[KINDS[op.opcode] is Kind.SUBTRACT, width, min(passed, width)] += 1
            held[place] = low, high, unit
        values = [None] * len(stage.out_idxs)
        for output in read:
            low, high, unit = _scaled(held[stage.out_idxs[output]], stage.out_shifts[output])
            if stage.out_negs[output]:
                low, high = -high, -low
                found.negations[_bits(low / unit, high / unit)] += 1
            values[output] = low, high, unit
    return found


def _reached(weights: Matrix, interval: tuple[int, int]) -> list[tuple[Any, list[int], list[int]]]:
    """The stages of a solution, each with the operations and the outputs of it that the last outputs depend on."""
    found: list[tuple[Any, list[int], list[int]]] = []
    read: set[int] | None = None
    for stage in reversed(_solved(weights, interval)):
        every = range(len(stage.out_idxs)) if read is None else sorted(read)
        outputs = [output for output in every if stage.out_idxs[output] >= 0]
        needed = {stage.out_idxs[output] for output in outputs}
        for place in reversed(range(len(stage.ops))):
            op = stage.ops[place]
            if place in needed and op.opcode != ENTERS:
                needed |= {op.id0, op.id1}
        read = {stage.ops[place].id0 for place in needed if stage.ops[place].opcode == ENTERS}
        found.append((stage, sorted(needed), outputs))
    found.reverse()
    return found


def _known(value: Any) -> Any:
    if value is None:
        raise ToolError("E-DA-KERNEL", f"{solver_version()} adds up a sum that it did not make")
    return value


def _scaled(span: tuple[Fraction, Fraction, Fraction], shift: int) -> tuple[Fraction, Fraction, Fraction]:
    factor = Fraction(2) ** shift
    return span[0] * factor, span[1] * factor, span[2] * factor


def _bits(low: Fraction, high: Fraction) -> int:
    """Bits of the smallest two's complement that holds both."""
    return max((int(end) if end >= 0 else int(-end) - 1).bit_length() for end in (low, high)) + 1
