"""Proofs of many layers: one after the other, or in processes of their own; outcomes in the order of the layers."""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from nncomplexity.catalogue import Part
from nncomplexity.errors import ComplexityError
from nncomplexity.network import Row
from nncomplexity.provable import operands_of
from nncomplexity.works import Work

from .parts import Subject

if TYPE_CHECKING:
    from nncomplexity.hw.elaborate import Design
    from nncomplexity.hw.nodes import Operator
    from nncomplexity.hw.proof import Verdict

__all__ = ["Options", "Outcome", "compared", "outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How every layer is proved."""

    style: str | None
    schedule: str
    activation: str
    vectors: int
    seed: int
    rounding: str
    overflow: str
    simulator: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A verdict, the reason why there is no kernel, or an error."""

    verdict: Verdict | None = None
    reason: str = ""
    error: ComplexityError | None = None


Task = tuple[Part, Mapping[str, Sequence[int]], Options]


def outcomes(subjects: Sequence[Subject], options: Options, jobs: int) -> Iterator[Outcome]:
    """The outcome of every subject, in order; up to `jobs` are worked on at once.

    Raises: what is no ComplexityError, as it was raised by the proof.
    """
    _elaborations.cache_clear()
    tasks: list[Task] = [(each.part, each.weights, options) for each in subjects if each.part is not None]
    alone = jobs == 1 or len(tasks) < 2
    found = iter(map(_proved, tasks)) if alone else _in_processes(tasks, min(jobs, len(tasks)))
    for subject in subjects:
        yield Outcome(reason=subject.reason) if subject.part is None else next(found)


def _in_processes(tasks: Sequence[Task], jobs: int) -> Iterator[Outcome]:
    # Started anew, not forked: the same on every system, whatever threads there are.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_deaf)
    try:
        sent = pool.map(_proved, [task for task in tasks if _travels(task)])
        yield from (next(sent) if _travels(task) else _proved(task) for task in tasks)
    except BaseException:
        # Nobody waits for proofs that nobody will read.
        for child in multiprocessing.active_children():
            child.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _travels(task: Task) -> bool:
    """Whether a task can be sent: an operator's equations are closures, and small."""
    return not isinstance(task[0].layer, Work)


def _deaf() -> None:
    """Leave it to the parent to end children when the user interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@cache
def _elaborations() -> Callable[[str, str], Design]:
    """What equal kernels of one command, in one process, are elaborated by once."""
    from nncomplexity.hw.elaborations import Elaborations

    return Elaborations()


def _proved(task: Task) -> Outcome:
    # numpy comes with the kernels: no other command waits for it.
    from nncomplexity.hw.bundles import UnsupportedLayer
    from nncomplexity.hw.fixed import Overflow, Rounding
    from nncomplexity.hw.proof import prove
    from nncomplexity.parsers.reference import onnx_values

    part, weights, options = task
    try:
        verdict = prove(
            part,
            weights=weights or None,
            own=bool(weights),
            style=options.style,
            schedule=options.schedule,
            activation=options.activation,
            vectors=options.vectors,
            seed=options.seed,
            modes=(Rounding(options.rounding), Overflow(options.overflow)),
            reference=onnx_values,
            elaborator=_elaborations(),
            simulator=options.simulator,
            seconds=options.seconds,
        )
    except UnsupportedLayer as error:
        return Outcome(reason=error.fact)
    except ComplexityError as error:
        return Outcome(error=error)
    return Outcome(verdict=verdict)


def compared(subjects: Sequence[Subject], verdicts: Sequence[Verdict | None]) -> list[Verdict | None]:
    """The verdicts, with the operators of each report row beside those of its kernels."""
    rows: dict[int, list[int]] = {}
    for place, subject in enumerate(subjects):
        if subject.row is not None and verdicts[place] is not None:
            rows.setdefault(id(subject.row), []).append(place)
    found = [verdict and _noted(subject, verdict) for subject, verdict in zip(subjects, verdicts, strict=True)]
    for places in rows.values():
        row, last = subjects[places[0]].row, found[places[-1]]
        assert row is not None and last is not None
        if difference := _row_difference(row, [subjects[place] for place in places], last.style):
            shown = last.first_difference or difference
            found[places[-1]] = replace(last, counts_equal=False, first_difference=shown)
    return found


def _noted(subject: Subject, verdict: Verdict) -> Verdict:
    """The verdict with what the file says of its integers."""
    if subject.apart:
        verdict = replace(verdict, weights=f"{verdict.weights}, zero points apart")
    if subject.scaled:
        # The kernel's activations see other numbers than the model's: how far these are apart says nothing.
        weights = f"{verdict.weights}, steps of the file"
        verdict = replace(verdict, weights=weights, deviation=None, bound=None, within=None, reference="")
    return verdict


def _row_difference(row: Row, pieces: Sequence[Subject], style: str) -> str:
    """Where a report's row and its kernels differ, "" where they do not.

    Of real multipliers kinds, roles and factors are compared, and of directions, which the row counts with widths that
    serve both, kinds and roles; digits that were drawn are in no report.
    """
    from nncomplexity.hw.nodes import operators
    from nncomplexity.hw.styles import PLANS, inventory

    digits = style != "mac"
    # What the two directions could share stays apart in their kernels.
    if digits and (not pieces[0].weights or (style in PLANS and len(pieces) > 1)):
        return ""
    assert row.work is not None
    one = operators(inventory(row.work, style, row.operands if digits else {}))
    other: Counter[Operator] = Counter()
    for piece in pieces:
        assert piece.part is not None
        operands = operands_of(piece.part, piece.weights) if digits else {}
        for operator, times in operators(inventory(piece.part.layer, style, operands)).items():
            other[operator] += times * piece.repeat
    if not digits or len(pieces) > 1:
        one, other = _without_widths(one), _without_widths(other)
    if one == other:
        return ""
    key = next(iter((one - other) or (other - one)))
    return f"report and kernel: {one[key]} and {other[key]} of {key.role.value} {key.kind.value}"


def _without_widths(counted: Counter[Operator]) -> Counter[Operator]:
    found: Counter[Operator] = Counter()
    for operator, times in counted.items():
        found[operator._replace(width=0, passed=0)] += times
    return found
