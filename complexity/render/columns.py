"""The number columns of a table: metrics, their quotients by what is asked for, ratios to the first quantization."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..errors import UsageError, did_you_mean, quoted
from ..expressions import Expression, is_expression
from ..metrics import BY_KEY
from ..report import Number, Report
from .view import Ratio, View

__all__ = ["Cell", "Column", "columns"]

Cell = Number | Fraction
Lookup = Callable[[int, str], Number]


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and how a cell follows from the metric values of a row, by report and metric key."""

    heading: str
    cell: Callable[[Lookup], Cell]


def columns(reports: Sequence[Report], view: View, shared: Callable[[str], bool]) -> list[Column]:
    """The columns of reports of one model. A metric that is `shared`, equal for all of them, has one column."""
    several = len(reports) > 1
    common = [key for key in view.metrics if several and shared(key)]
    found = [_metric(0, key, "") for key in common]
    for index, report in enumerate(reports):
        suffix = f" {report.network.quantization}" if several else ""
        for key in view.metrics:
            if key in common:
                continue
            found.append(_metric(index, key, suffix))
            if index and view.ratios:
                found.append(Column("relative", _ratio(index, key)))
        if view.per is not None:
            found.extend(
                _per(index, key, suffix, view.per, report) for key in view.metrics if index == 0 or key not in common
            )
    return found


def _metric(index: int, key: str, suffix: str) -> Column:
    return Column(BY_KEY[key].heading + suffix, lambda value: value(index, key))


def _ratio(index: int, key: str) -> Callable[[Lookup], Cell]:
    def cell(value: Lookup) -> Cell:
        value_here, first = value(index, key), value(0, key)
        ratio = Fraction(1) if value_here == first and first is not None else quotient(value_here, first)
        return Ratio(ratio) if isinstance(ratio, Fraction) else None

    return cell


def _per(index: int, key: str, suffix: str, per: str, report: Report) -> Column:
    size = divisor(per, report)
    return Column(f"{BY_KEY[key].heading}{suffix}/{quoted(per, 20)}", lambda value: quotient(value(index, key), size))


def divisor(per: str, report: Report) -> int:
    """The number `--per` stands for: itself, or the size of a bound dim. Raises UsageError E-PER."""
    network = report.network
    if per.isascii() and per.isdigit():
        size = int(per[:20])
    elif per in network.dims:
        size = network.dims[per]
    elif per in network.free:
        raise UsageError("E-PER", f"--per {quoted(per)}: the dim is free; bind it with --dim {quoted(per)}=16")
    else:
        raise UsageError("E-PER", f"--per: the model has no dim '{quoted(per)}'; {did_you_mean(per, network.dims)}")
    if not size:
        raise UsageError("E-PER", f"--per {quoted(per)}: nothing can be divided by 0")
    return size


def quotient(value: Number, by: Number) -> Cell:
    """value / by as an exact fraction; None where it has no number."""
    if value is None or by is None:
        return None
    if isinstance(value, int) and isinstance(by, int):
        return Fraction(value, by) if by else None
    if isinstance(by, int):
        return _scaled(value, by) if by else None
    if not is_expression(value) or not is_expression(by):
        return None
    # Two polynomials have a ratio where they are multiples of each other.
    monomial = next(iter(by.terms))
    factor = Fraction(value.terms.get(monomial, 0)) / Fraction(by.terms[monomial])
    return factor if by.terms.keys() == value.terms.keys() and _multiple(value, by, factor) else None


def _multiple(value: Expression, by: Expression, factor: Fraction) -> bool:
    return all(coefficient == by.terms[monomial] * factor for monomial, coefficient in value.terms.items())


def _scaled(value: Number, by: int) -> Cell:
    if not is_expression(value):
        return None
    scaled = {monomial: _whole(Fraction(coefficient) / by) for monomial, coefficient in value.terms.items()}
    return Expression(scaled)


def _whole(number: Fraction) -> int | Fraction:
    return number.numerator if number.denominator == 1 else number
