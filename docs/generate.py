"""Writes the pages that follow from the code: one a layer, their index, the metrics. Run `python docs/generate.py`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field
from inspect import cleandoc
from pathlib import Path

from nncomplexity.errors import UsageError
from nncomplexity.expressions import Expression, factored
from nncomplexity.formulas import Formula, kind_form
from nncomplexity.kinds import FORMATS, fields_of, glossary, open_layer, required, summary
from nncomplexity.layers import LAYERS, layer_class
from nncomplexity.metrics import BY_KEY, METRICS, Metric
from nncomplexity.metrics.prediction import calibration

__all__ = ["main", "pages"]

ROOT = Path(__file__).parent
HEADINGS = ("Equation", "Shapes", "Counting", "Source", "Raises")
FORMS = ("rm", "bop", "nabs", "flops")
# What a field means in every layer that has it.
MEANINGS = {
    "activation": "number format of gates, states and results; if not said, that of `input`",
    "basis": "functions on the edges: bspline, grbf, chebyshev or fourier",
    "bias": "whether biases are added",
    "bias_variant": "how the bias is counted: P1, P0 or P2",
    "bidirectional": "whether a second cell reads the sequence from its end",
    "centroids": "learned states to choose from",
    "channels": "features of one position of the input",
    "density": "part of the reservoir's weights that is not zero; this or `nonzeros_per_row`",
    "depth": "layers of entangling and general rotations in a circuit",
    "dilation": "distance of neighbouring taps",
    "filters": "features of one position of the output",
    "grid": "intervals of the grid (bspline), functions (grbf), harmonics (fourier)",
    "groups": "groups of channels that are convolved apart",
    "heads": "heads of the queries",
    "height": "rows of the image",
    "hidden": "units of the hidden state",
    "input": "number format of the input; if not said, the `activation` of the layer before",
    "inputs": "features of one input",
    "kernel_size": "taps of a filter along each axis",
    "key": "number format of the keys; if not said, that of `input`",
    "key_size": "features of a query and of a key in one head",
    "keys": "keys of one sequence, cached ones included",
    "leaky": "whether the state leaks: s' = (1 - mu)\\*s + mu\\*(new state)",
    "length": "positions of the input",
    "linear_before_reset": "whether the reset gate is applied after the product with the hidden state",
    "merged": "whether W + F is formed before the product",
    "nonzeros_per_row": "weights of a reservoir unit that are not zero; this or `density`",
    "open_rate": "part of the units whose gate is open",
    "order": "degree of the functions on the edges",
    "outputs": "features of the readout",
    "padding": 'zeros at the ends of the input: a number, one for each end or axis, or "same"',
    "particle": "widths of a particle, its inputs first",
    "peepholes": "whether the gates see the cell state",
    "queries": "queries of one sequence",
    "rank": "coordinates the state is kept in",
    "readout_bias": "whether the readout has biases",
    "recurrent": "number format of the recurrent weights; if not said, that of `weight`",
    "reservoir": "units of the reservoir",
    "samples": "units of the reservoir that are evaluated",
    "shared_heads": "heads of keys and values, where groups of query heads share them",
    "steps": "times the layer is applied in one inference",
    "stride": "distance of neighbouring windows",
    "units": "features of one output",
    "value": "number format of the values; if not said, that of `input`",
    "value_size": "features of a value in one head",
    "weight": "number format of the weights",
    "width": "columns of the image",
}
SPECIFICATION = """\
[[layer]]
kind = "lstm"
steps = 41
inputs = 4
hidden = 35
bidirectional = true
weight = { bits = 8 }
input = { bits = 8 }

[[layer]]
kind = "dense"
inputs = 70
units = 2
"""


def pages() -> dict[str, str]:
    """The text of every generated page by its path below docs/."""
    found = {f"layers/{kind}.md": _layer(kind) for kind in LAYERS}
    return {**found, "layers/index.md": _index(), "metrics.md": _metrics()}


def main() -> None:
    """Write the pages; pages of layers that are gone are removed."""
    made = pages()
    for path in (ROOT / "layers").glob("*.md"):
        if f"layers/{path.name}" not in made:
            path.unlink()
    for name, text in made.items():
        path = ROOT / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


def _index() -> str:
    rows = [["layer", "Python", "what it is", "forms"]]
    for kind in LAYERS:
        forms = "reconstructed" if "reconstructed" in _sections(kind).get("Source", "") else "derived"
        rows.append([f"[{kind}]({kind}.md)", f"`nc.{layer_class(kind).__name__}`", _plain(summary(kind)), forms])
    return _joined(
        "# Layers",
        "A specification names a layer by its kind, in TOML, JSON or Python. `nncomplexity report FILE.toml` reads it:",
        _fenced("toml", SPECIFICATION),
        "Every layer also takes `name` and `accumulator`, a width as `{ bits = 24 }`. A number format is one of\n"
        '`{ bits = 8 }`, `{ scheme = "pot", bits = 4 }`, `{ scheme = "apot", bits = 4, terms = 2 }`; what no layer\n'
        "says comes from `--quant` or is float32. A size may be a name, bound by `--dim` or `sweep -P`.",
        _table(rows),
        "Forms: *reconstructed* means that the source's printed forms were not at hand; they were re-derived from its\n"
        "equations or code. *derived* means that they follow from the equation alone. See the\n"
        "[conventions](../conventions.md).",
    )


def _layer(kind: str) -> str:
    sections = _sections(kind)
    name = layer_class(kind).__name__
    blocks = [f"# {name}", f"Kind `{kind}`, in Python `nc.{name}`.", _plain(sections[""])]
    blocks += ["## Equation", _fenced("text", sections["Equation"])]
    for key in ("Shapes", "Counting"):
        blocks += [f"## {key}", _plain(_sentence(sections[key]))]
    source = " ".join(sections["Source"].split())
    blocks += ["## Source", _plain(source), _standing(source)]
    blocks += ["## Fields", _table([["field", "letter", "default", "meaning"], *_fields(kind)])]
    if "Raises" in sections:
        blocks.append(f"Raises {_plain(' '.join(sections['Raises'].split()))}")
    return _joined(*blocks, *_forms(kind), "[All layers](index.md)")


def _sections(kind: str) -> dict[str, str]:
    """The docstring of a layer by heading; the text before the first heading under ''."""
    text = cleandoc(layer_class(kind).__doc__ or "")
    head, *rest = re.split(rf"^({'|'.join(HEADINGS)}): ", text, flags=re.MULTILINE)
    found = {"": " ".join(head.split())}
    return found | {key: value.strip() for key, value in zip(rest[::2], rest[1::2], strict=True)}


def _sentence(text: str) -> str:
    """A paragraph on one line, its first word capital where it is a word and no symbol."""
    line = " ".join(text.split())
    return line[0].upper() + line[1:] if re.match(r"[a-z]{2,}[ :]", line) else line


def _standing(source: str) -> str:
    if "from the published code" in source:
        return "The closed forms below are reconstructed from the equation and the published code."
    if "reconstructed" in source:
        return (
            "The closed forms below are reconstructed: re-derived from the equation, not copied from the printed page."
        )
    return "The closed forms below follow from the equation."


def _fields(kind: str) -> Iterator[list[str]]:
    letters = layer_class(kind).letters
    for name, each in fields_of(kind).items():
        letter = " ".join(f"`{part}`" for part in letters.get(name, "").split())
        yield [f"`{name}`", letter, _default(kind, each), MEANINGS.get(name, name.replace("_", " "))]


def _default(kind: str, field: Field[object]) -> str:
    if required(kind, field):
        return "required"
    value = field.default
    if field.name in FORMATS or value is MISSING or value is None:
        return ""
    return f"`{json.dumps(value, default=str)}`"


def _forms(kind: str) -> Iterator[str]:
    said = [f"`{name}`" for name, each in fields_of(kind).items() if _chosen(kind, name, each)]
    given = f", {' and '.join(said)} given" if said else ""
    yield "## Closed forms"
    yield f"For one inference in the convention `paper`: sizes and formats open, other fields at their defaults{given}."
    lines: list[str] = []
    for key in FORMS:
        heading = BY_KEY[key].heading
        formula = _form(kind, BY_KEY[key])
        yield f"### {heading}"
        if formula is None:
            yield "No closed form."
            continue
        lines.append(f"{heading} = {factored(formula.size)}")
        yield _fenced("math", rf"\mathrm{{{heading}}} = {formula.latex()}")
        yield _fenced("text", lines[-1])
    letters = glossary(kind, " ".join(lines))
    if letters:
        yield "### Letters"
        yield _table([["letter", "meaning"], *([f"`{letter}`", meaning] for letter, meaning in letters.items())])


def _chosen(kind: str, name: str, field: Field[object]) -> bool:
    """Whether the closed forms take a field that a specification may leave out."""
    return not required(kind, field) and isinstance(getattr(open_layer(kind), name), Expression)


def _form(kind: str, metric: Metric) -> Formula | None:
    try:
        return kind_form(kind, metric)
    except UsageError:
        return None


def _metrics() -> str:
    blocks = [
        "# Metrics",
        "A metric is a price for every operation of a layer; its value is the sum of the prices, exact. `--metric`\n"
        "takes keys. The [conventions](conventions.md) say which operations a layer has and how wide they are.",
    ]
    for metric in METRICS:
        module = (sys.modules[metric.weight.__module__].__doc__ or "").strip()
        weight, *more = cleandoc(metric.weight.__doc__ or "").split("\n\n")
        facts = [
            f"- Key: `{metric.key}`",
            f"- Unit: {metric.unit}",
            f"- Meaning: {_plain(metric.meaning)}",
            *([f"- Definition, per operation: {_plain(weight)}"] if weight else []),
            f"- Total: {'the largest of the rows' if metric.largest else 'the sum of the rows'}",
            *([f"- A prediction of one kernel a row, not a count{_band(metric)}"] if metric.predicted else []),
        ]
        blocks += [f"## {metric.heading}", module, "\n".join(facts), *(_plain(text) for text in more)]
    return _joined(*blocks)


def _band(metric: Metric) -> str:
    """How well the fit behind a prediction does."""
    if metric.key != "lut":
        return ""
    fit = calibration()
    return (
        f": fitted to {fit.tool} on {fit.fitted} small random layers; on {fit.tested} others half are within "
        f"{fit.band.median:.0%}, nine in ten within {fit.band.ninety:.0%} "
        f"(`{'; '.join(fit.flags).format(top='KERNEL')}`)"
    )


def _plain(text: str) -> str:
    """Text as Markdown shows it: stars outside of code are no emphasis."""
    parts = text.split("`")
    return "`".join(part if index % 2 else part.replace("*", r"\*") for index, part in enumerate(parts))


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.strip()}\n```"


def _table(rows: list[list[str]]) -> str:
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *body])


def _joined(*blocks: str) -> str:
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    main()
