"""The JSON hub format `nncomplexity.report/1`: a report as plain data."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from .metrics import BY_KEY
from .ops import Inventory
from .report import Entry, Report, Totals, plain
from .shapes import Shape
from .version import FORMULAS, VERSION

if TYPE_CHECKING:
    from .network import Network

__all__ = ["SCHEMA", "document", "text"]

SCHEMA = "nncomplexity.report/1"


def document(report: Report) -> dict[str, object]:
    """The report as dictionaries, lists, strings, exact integers and nulls."""
    return {**_head(report), "layers": [_layer(entry, report) for entry in report.entries]}


def text(report: Report) -> str:
    """The report as strict ASCII JSON, a line for each layer: large networks stay quick to write and to compare."""
    head = json.dumps(_head(report), indent=2, allow_nan=False).removesuffix("\n}")
    layers = ",\n    ".join(json.dumps(_layer(entry, report), allow_nan=False) for entry in report.entries)
    return f'{head},\n  "layers": [\n    {layers}\n  ]\n}}'


def _head(report: Report) -> dict[str, object]:
    network, coverage = report.network, report.coverage
    return {
        "schema": SCHEMA,
        "tool": {"name": "nncomplexity", "version": VERSION, "formulas": FORMULAS},
        "model": _model(network),
        "convention": report.convention,
        "quantization": network.quantization,
        "totals": _metrics(report.totals, report),
        "coverage": {
            "nodes": coverage.nodes,
            "counted": coverage.counted,
            "free": coverage.free,
            "uncounted": coverage.uncounted,
            "null": report.nulls(report.listed),
        },
        "assumptions": list(report.assumptions),
        "warnings": list(network.warnings),
    }


def _model(network: Network) -> dict[str, object]:
    return {
        "path": network.path,
        "sha256": network.digest() if network.digest else None,
        "ir_version": network.ir_version,
        "opsets": dict(network.opsets),
        "dims": dict(network.dims),
        "free_dims": list(network.free),
    }


def _layer(entry: Entry, report: Report) -> dict[str, object]:
    row = entry.row
    return {
        "index": entry.index,
        "name": row.name,
        "path": row.path,
        "paths": list(row.paths),
        "op": row.op,
        "domain": row.domain,
        "kind": row.kind,
        "status": entry.status.value,
        "reason": row.reason,
        "repeat": plain(row.repeat),
        "alternative": row.alternative,
        "inputs": [_shape(shape) for shape in row.inputs],
        "outputs": [_shape(shape) for shape in row.outputs],
        "formats": {name: str(format) for name, format in row.formats.items()},
        "formats_from": row.formats_from,
        **_numbers(entry),
        "params": plain(entry.metrics["params"]),
        "metrics": _metrics(entry.metrics, report),
        "operations": _operations(entry.operations),
    }


def _numbers(entry: Entry) -> dict[str, object]:
    """What the operands' integers mean and, in `exact`, what the weights are: keys only where there is something."""
    found: dict[str, object] = {}
    if entry.row.encodings:
        found["encodings"] = {name: str(encoding) for name, encoding in entry.row.encodings.items()}
    if entry.row.detected:
        found["detected"] = entry.row.detected
    if entry.convention == "exact" and (weights := entry.weights) is not None:
        found["weights"] = asdict(weights)
    return found


def _metrics(totals: Totals, report: Report) -> dict[str, int | str | None]:
    """Values by key, null where they were not asked for, without the optional ones that are zero."""
    found = {key: plain(totals[key]) for key in report.listed}
    found |= {key: None for key in report.totals if key not in found}
    return {key: value for key, value in found.items() if value not in (0, None) or not BY_KEY[key].optional}


def _shape(shape: Shape | None) -> list[int | str | None] | None:
    return None if shape is None else [plain(size) for size in shape]


def _operations(inventory: Inventory) -> list[dict[str, object]]:
    return [
        {
            "kind": op.kind.value,
            "role": op.role.value,
            **({"function": op.function} if op.function else {}),
            "a": plain(op.left.bits),
            "b": plain(op.right.bits),
            "constant": op.constant,
            "result": plain(op.result.bits),
            "count": plain(count),
        }
        for op, count in inventory
    ]
