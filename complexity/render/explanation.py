"""An explanation as text: equation, closed forms with their numbers, the table of terms, what is left out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from ..errors import quoted
from ..explanation import Closed, Explanation, Term, definition
from ..expressions import Size, factored
from ..metrics import Metric
from ..network import Status
from ..report import Number

__all__ = ["metric_text", "text"]

WIDTH = 118
LONG = 2000
HEADS = ("role", "operation", "count", "a", "b", "result")


def metric_text(metric: Metric) -> str:
    """A metric: heading, key, meaning, unit, definition."""
    lines = [f"{metric.heading} ({metric.key}): {metric.meaning}", f"unit: {metric.unit}"]
    rule = "the largest row, not the sum" if metric.largest else "the sum over rows"
    return "\n".join([*lines, f"total: {rule}", "definition:", *_indented(definition(metric))]) + "\n"


def text(explanation: Explanation) -> str:
    """Everything that is known of why a row costs what it costs."""
    plain = [closed for closed in explanation.metrics if closed.form is None]
    forms = [closed for closed in explanation.metrics if closed.form is not None]
    blocks = [_head(explanation), *(list(_metric(explanation, each)) for each in forms)]
    blocks.append([line for closed in plain for line in _metric(explanation, closed)])
    if _shown(explanation):
        blocks.append(_table(explanation))
    blocks.append(list(_rest(explanation)))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(explanation: Explanation) -> list[str]:
    row = explanation.row
    lines = _wrapped(f"{quoted(row.path)} ({quoted(row.op, 40)})", explanation.summary)
    if explanation.equation:
        lines += _wrapped("equation", explanation.equation)
    if row.status is not Status.COUNTED:
        lines += _wrapped(row.status.value, quoted(row.reason, 300) if row.reason else "")
    if row.alternative:
        lines += _wrapped("not charged", "the row is in a branch of an If; the dearer branch alone is charged")
    if row.formats:
        shown = ", ".join(f"{name} {format}" for name, format in row.formats.items())
        lines += _wrapped("formats", f"{shown} (from {quoted(row.formats_from) or 'the file'})")
    for name, encoding in row.encodings.items():
        lines += _wrapped(f"{name} numbers", quoted(str(encoding), 300))
    if row.detected:
        lines += _wrapped("detected", row.detected)
    if explanation.weights is not None:
        figures = asdict(explanation.weights).items()
        lines += _wrapped("weights", ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in figures))
    if row.repeat != 1 and not row.alternative:
        lines += _wrapped("executions", _number(row.repeat))
    return lines


def _metric(explanation: Explanation, closed: Closed) -> Iterator[str]:
    heading = closed.metric.heading
    value = f"{_number(closed.value)} {closed.metric.unit}"
    if closed.form is None:
        yield from _formula(heading, value)
        return
    repeat = explanation.row.repeat
    times = f"{_number(repeat)} executions of " if repeat != 1 else ""
    yield from _formula(heading, f"{times}{factored(closed.form.size)}")
    where = ", ".join(f"{each.name} = {_number(each.value)} ({each.field})" for each in closed.letters)
    pad = " " * len(heading)
    if closed.differs:
        yield from _formula(f"{heading} here", value)
        yield from _wrapped("  note", closed.differs)
        return
    if closed.inserted and closed.letters:
        yield from _formula(pad, f"{times}{closed.inserted}")
    yield from _formula(pad, value)
    if where:
        yield from _wrapped("  where", where)


def _formula(left: str, right: str) -> list[str]:
    indent = " " * (len(left) + 3)
    return textwrap.wrap(
        quoted(f"{left} = {right}", LONG), WIDTH, subsequent_indent=indent, break_long_words=False, drop_whitespace=True
    )


def _shown(explanation: Explanation) -> list[Term]:
    """The terms that add to a metric asked for."""
    return [term for term in explanation.terms if any(value != 0 for value in term.contributions.values())]


def _table(explanation: Explanation) -> list[str]:
    metrics = [closed.metric for closed in explanation.metrics]
    rows = [
        [
            *(term.role, term.operation, _number(term.count)),
            *(_widths(each) for each in (term.left, term.right, term.result)),
            *(_number(term.contributions[metric.key]) for metric in metrics),
        ]
        for term in _shown(explanation)
    ]
    sums = ["sum", "", "", "", "", "", *(_number(closed.value) for closed in explanation.metrics)]
    heads = [*HEADS, *(metric.heading for metric in metrics)]
    widths = [max(len(line[index]) for line in (heads, *rows, sums)) for index in range(len(heads))]
    rule = ["-" * width for width in widths]
    return [_line(line, widths) for line in (heads, rule, *rows, rule, sums)]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = (
        cell.ljust(width) if index < 2 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(aligned).rstrip()


def _rest(explanation: Explanation) -> Iterator[str]:
    left = [term for term in explanation.terms if term not in _shown(explanation) and not term.stored]
    if left:
        listed = ", ".join(f"{_number(term.count)} {term.operation} ({term.role})" for term in left)
        yield from _wrapped("not in these metrics", listed)
    if explanation.counting:
        yield from _wrapped("counting", explanation.counting)
    if explanation.peers:
        yield from _wrapped("other tools on such an operator", "; ".join(explanation.peers))


def _widths(sizes: Sequence[Size]) -> str:
    numbers = [size for size in sizes if isinstance(size, int)]
    if len(numbers) == len(sizes) > 1:
        return f"{min(numbers)}-{max(numbers)}"
    return "/".join(_number(size) for size in sizes)


def _number(value: Number) -> str:
    return "?" if value is None else f"{value:,}" if isinstance(value, int) else quoted(factored(value), LONG)


def _wrapped(label: str, content: str) -> list[str]:
    line = f"{label}: {content}" if content else label
    return textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _indented(lines: str) -> Iterable[str]:
    return [f"  {line}".rstrip() for line in lines.splitlines()]
