"""What of a report is shown: the choices of a reader, and how one cell looks."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ..errors import UsageError, did_you_mean, quoted
from ..expressions import factored, is_expression
from ..report import Number, metric_of

__all__ = [
    "DEFAULT_LABELS",
    "DEFAULT_METRICS",
    "GROUPINGS",
    "LABELS",
    "Ratio",
    "View",
    "decimal",
    "safe",
    "shown_number",
]

DEFAULT_METRICS = ("params", "rm", "mac", "flops", "bop", "nabs")
GROUPINGS = ("layer", "op", "role", "dtype", "module")
LABELS = ("layer", "name", "op", "kind", "status", "input", "output", "formats", "repeat", "detected")
DEFAULT_LABELS = ("layer", "op", "output")
PREFIXES = (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3))
FORMULA = 200


class Ratio(Fraction):
    """A fraction that is shown with decimals even where it is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """by: one row per layer, op, role, dtype or module. labels: the text columns of one row per layer.
    top: only the dearest rows by the first metric that counts operations, the others in one row.
    per: a number or a bound dim that further columns divide by. ratios: to the first of several quantizations.
    si: round to k, M, G instead of exact integers. ascii: plain characters only. color: bold and coloured lines.
    symbolic: the closed form of every layer of the catalogue below the table. listed: JSON is a list even for one.
    """

    by: str = "layer"
    metrics: tuple[str, ...] = DEFAULT_METRICS
    labels: tuple[str, ...] = DEFAULT_LABELS
    top: int | None = None
    per: str | None = None
    ratios: bool = True
    si: bool = False
    ascii: bool = False
    color: bool = False
    symbolic: bool = False
    listed: bool = False

    def __post_init__(self) -> None:
        if self.by not in GROUPINGS:
            raise UsageError("E-BY", f"--by '{quoted(self.by)}' is unknown; {did_you_mean(self.by, GROUPINGS)}")
        for key in self.metrics:
            metric_of(key)
        for label in self.labels:
            if label not in LABELS:
                raise UsageError("E-COLUMNS", f"column '{quoted(label)}' is unknown; {did_you_mean(label, LABELS)}")
        if not self.labels:
            raise UsageError("E-COLUMNS", "--columns names no column")


def shown_number(value: str | Number | Fraction, view: View) -> str:
    """A cell: exact with thousands separators, rounded with --si, `?` where there is no value."""
    if value is None:
        return "?"
    if isinstance(value, int):
        return _rounded(value) if view.si else f"{value:,}"
    if isinstance(value, Fraction):
        return decimal(value, 2, separator=",")
    return safe(quoted(factored(value) if is_expression(value) else value, FORMULA), view)


def decimal(value: Fraction, places: int, *, separator: str = "") -> str:
    """An exact fraction rounded half up to decimal places; a whole number has none."""
    if value.denominator == 1 and not isinstance(value, Ratio):
        return f"{value.numerator:{separator}}"
    scale: int = 10**places
    whole, rest = divmod((2 * value.numerator * scale + value.denominator) // (2 * value.denominator), scale)
    return f"{whole:{separator}}.{rest:0{places}d}"


def safe(text: str, view: View) -> str:
    """Text for a terminal that may know ASCII only: an ellipsis becomes dots, other characters their escapes."""
    return text.replace("…", "..").encode("ascii", "backslashreplace").decode() if view.ascii else text


def _rounded(value: int) -> str:
    for prefix, scale in PREFIXES:
        if value >= scale:
            thousandths = (value * 1000 + scale // 2) // scale
            return f"{thousandths // 1000}.{thousandths % 1000:03d}"[:5].rstrip(".") + f" {prefix}"
    return str(value)
