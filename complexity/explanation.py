"""Why a row costs what it costs: its equation, its closed form with the numbers put in, its operations term by term."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from inspect import getdoc
from typing import TYPE_CHECKING

from .errors import UsageError, did_you_mean, quoted
from .expressions import Size, factored, substitute, total
from .formulas import Formula, closed_form
from .layers.layer import FORMATS, Layer
from .metrics import Metric
from .network import Row, Status
from .ops import Inventory, Kind, Op
from .peers import peers_of
from .report import Entry, Number, Report, metric_of

if TYPE_CHECKING:
    from .weights.histogram import FloatStatistics, Statistics

__all__ = ["DEFAULTS", "Closed", "Explanation", "Letter", "Term", "definition", "explain", "matching", "section"]

DEFAULTS = ("rm", "bop", "nabs")
HEADING = re.compile(r"^([A-Z][a-z]+):\s*", re.MULTILINE)
Contributions = dict[str, Number]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter of a closed form (or a product of letters), the field of the layer it stands for, the field's value."""

    name: str
    field: str
    value: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A metric of a row: its value and, where the layer has one, the closed form of one execution in letters.

    form: None where there is none. letters: those the form holds. inserted: the form with numbers for letters, "" where
    a number stands for several letters. differs: why the form is not the value, "" where it is.
    """

    metric: Metric
    value: Number
    form: Formula | None = None
    letters: tuple[Letter, ...] = ()
    inserted: str = ""
    differs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Operations of one role and kind: how many, the widths met, what they add to each metric (None: undefined)."""

    role: str
    operation: str
    count: Size
    left: tuple[Size, ...] = ()
    right: tuple[Size, ...] = ()
    result: tuple[Size, ...] = ()
    contributions: Mapping[str, Number]
    stored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One row explained for some metrics; `terms` sum to each metric of a counted row.

    weights: how many of its weights are zeros, powers of two …, where their values were read.
    """

    row: Row
    summary: str
    equation: str
    counting: str
    metrics: tuple[Closed, ...]
    terms: tuple[Term, ...]
    weights: Statistics | FloatStatistics | None = None
    peers: tuple[str, ...] = ()

    def sum(self, key: str) -> Number:
        """The contributions to a metric added up; None where one is undefined."""
        found = [term.contributions[key] for term in self.terms]
        known = [value for value in found if value is not None]
        return total(known) if len(known) == len(found) else None


def explain(report: Report, entry: Entry, metrics: Sequence[str] = DEFAULTS) -> Explanation:
    """A row of a report explained for metrics, by key. Raises UsageError E-METRIC for a key that is none."""
    asked = [metric_of(key) for key in dict.fromkeys(metrics)]
    row = entry.row
    text = (getdoc(type(row.work)) or "") if isinstance(row.work, Layer) else ""
    return Explanation(
        row=row,
        summary=" ".join(text.partition("\n\n")[0].split()),
        equation=section(text, "Equation"),
        counting=section(text, "Counting"),
        metrics=tuple(_closed(entry, metric, report.convention) for metric in asked),
        terms=tuple(_terms(entry, asked)),
        weights=entry.weights if report.convention == "exact" else None,
        peers=peers_of(row.op, row.domain),
    )


def matching(report: Report, pattern: str) -> list[Entry]:
    """The rows of a name, of a path, of a glob over both, else the counted rows of a module.

    Raises UsageError E-EXPLAIN-LAYER where there are none.
    """
    entries = report.entries
    exact = [entry for entry in entries if pattern in (entry.row.name, entry.row.path, *entry.row.paths)]
    found = exact or [entry for entry in entries if any(fnmatchcase(name, pattern) for name in _names(entry))]
    inside = [entry for entry in entries if entry.status is Status.COUNTED and pattern in _modules(entry)]
    if found or inside:
        return found or inside
    hint = did_you_mean(pattern, dict.fromkeys(entry.row.path for entry in entries))
    raise UsageError("E-EXPLAIN-LAYER", f"no row is called '{quoted(pattern)}'; {hint}").at(quoted(report.network.path))


def section(text: str, heading: str) -> str:
    """What stands under a heading of a docstring ("Equation: …"), in one line; "" where it has no such heading."""
    parts = HEADING.split(text)
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name == heading:
            return " ".join(str(body).partition("\n\n")[0].split())
    return ""


def definition(metric: Metric) -> str:
    """What a metric's module says of it: the module's line and the price of an operation."""
    module = sys.modules[metric.weight.__module__]
    return "\n".join(text for text in (getdoc(module), getdoc(metric.weight)) if text)


def _names(entry: Entry) -> tuple[str, ...]:
    return (entry.row.name, entry.row.path, *entry.row.paths)


def _modules(entry: Entry) -> list[str]:
    parts = entry.row.path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _closed(entry: Entry, metric: Metric, convention: str) -> Closed:
    value, layer = entry.metrics[metric.key], entry.row.work
    if not isinstance(layer, Layer) or not metric.computed or entry.row.branches or entry.row.alternative:
        return Closed(metric=metric, value=value)
    try:
        form = closed_form(entry.row, metric)
    except UsageError:
        return Closed(metric=metric, value=value)
    text = form.python()
    letters = tuple(each for each in _letters(layer) if set(each.name.split("*")) <= set(re.findall(r"\w+", text)))
    values = {part: each.value if index == 0 else 1 for each in letters for index, part in enumerate(_parts(each))}
    same = value is not None and substitute(form.size, values) * entry.row.repeat == value
    return Closed(
        metric=metric,
        value=value,
        form=form,
        letters=letters,
        inserted=_inserted(form, letters) if same else "",
        differs="" if same else _difference(entry, letters, value, convention),
    )


def _parts(letter: Letter) -> list[str]:
    return letter.name.split("*")


def _letters(layer: Layer) -> Iterator[Letter]:
    """Sizes, then widths and adders of each format, the first field of a letter."""
    for field, text in layer.letters.items():
        if (value := getattr(layer, field)) is not None:
            yield Letter(name="*".join(text.split()), field=field, value=value)
    seen: set[str] = set()
    for field, letter in FORMATS.items():
        format = getattr(layer, field, None)
        if format is not None and letter not in seen:
            seen.add(letter)
            yield Letter(name=f"b_{letter}", field=field, value=format.bits)
            if not format.floating:
                yield Letter(name=f"X_{letter}", field=field, value=format.adders)


def _inserted(form: Formula, letters: Iterable[Letter]) -> str:
    values = {each.name: each.value for each in letters}
    if any("*" in name for name in values):
        return ""

    def put(found: re.Match[str]) -> str:
        value = values.get(found[0], found[0])
        return str(value) if isinstance(value, int | str) else f"({value})"

    return re.sub(r"[A-Za-z_]\w*", put, factored(form.size))


def _difference(entry: Entry, letters: Iterable[Letter], value: Number, convention: str) -> str:
    formats = [getattr(entry.row.work, each.field) for each in letters if each.name[:2] in ("b_", "X_")]
    if any(format.floating for format in formats):
        if value is None:
            return "undefined while an operand is floating point; give formats with --quant w8a8"
        return "float formats make other widths than the closed form's letters"
    if convention == "exact":
        return "the closed form is that of the paper; exact reads known weights and gives every addition its own width"
    return "a declared accumulator, or formats that share a letter, set other widths than the closed form"


def _terms(entry: Entry, metrics: Sequence[Metric]) -> Iterator[Term]:
    row = entry.row
    if entry.status is not Status.UNCOUNTED:
        counters = dict.fromkeys(metric.counter(entry.convention) for metric in metrics)
        for counter in counters:
            priced = [metric for metric in metrics if metric.counter(entry.convention) == counter]
            yield from _grouped(entry.operations_of(priced[0]), priced, metrics)
    if row.branches:
        kept = row.storage()
        rest = {
            each.key: 0 if each.largest else _less(entry.metrics[each.key], kept.total(each.weight)) for each in metrics
        }
        yield Term(role="branch", operation="the dearer one", count=row.repeat, contributions=rest)
    if all(metric.computed for metric in metrics):
        return
    yield from _grouped(row.storage(), [each for each in metrics if not each.largest], metrics)
    unknown: Contributions = {each.key: None if each.key == "activation_bits" else 0 for each in metrics}
    if row.written is None and None in unknown.values():
        yield Term(role="output", operation="store", count=row.repeat, contributions=unknown, stored=True)
    for metric in (each for each in metrics if each.largest):
        alive: Contributions = {each.key: 0 for each in metrics}
        alive[metric.key] = entry.metrics[metric.key]
        yield Term(role="live", operation="alive at once", count=1, contributions=alive, stored=True)


def _less(value: Number, part: Number) -> Number:
    return None if value is None or part is None else value - part


def _grouped(inventory: Inventory, weighed: Sequence[Metric], shown: Sequence[Metric] = ()) -> Iterator[Term]:
    """Operations by role, kind and function, with what they add to each metric."""
    for operations in inventory.grouped(_group).values():
        ops = [op for op, _ in operations]
        first = ops[0]
        added: Contributions = {each.key: 0 for each in shown}
        added |= {each.key: operations.total(each.weight) for each in weighed}
        yield Term(
            role=first.role.value,
            operation=_operation(first),
            count=total([count for _, count in operations]),
            left=tuple(dict.fromkeys(op.left.bits for op in ops)),
            right=tuple(dict.fromkeys(op.right.bits for op in ops)),
            result=tuple(dict.fromkeys(op.result.bits for op in ops)),
            contributions=added,
            stored=first.kind is Kind.STORE,
        )


def _group(op: Op) -> str:
    return f"{op.role.value}|{_operation(op)}|{op.constant}"


def _operation(op: Op) -> str:
    return f"{op.kind.value} {op.function}".rstrip()
