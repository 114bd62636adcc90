"""The files of a bundle: a kernel, its bench, the numbers in and out, its tables, and a manifest that names them all.

Everything follows from the trial, so two bundles of one trial are equal byte by byte. The manifest holds the layer with
its formats: the kernel, its counts and its numbers can be made again from the bundle alone.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence

from nncomplexity.version import VERSION

from .declared import Declared, declared
from .layer_record import recorded
from .lines import Field, layout, width_of, words_of, written
from .netlist import Graph
from .tables import Table
from .testbench import bench
from .trial import TOP, UNROLLED, Trial

__all__ = [
    "BENCH_FILE",
    "CONSTANTS",
    "GIVEN",
    "HELD",
    "KERNEL",
    "MADE",
    "MANIFEST",
    "SCHEMA",
    "bench_of",
    "digest",
    "files_of",
    "made_lines",
    "manifest_of",
    "run_files",
    "table_name",
    "table_words",
    "tables_of",
]

SCHEMA = "nncomplexity.bundle/1"
MANIFEST, KERNEL, BENCH_FILE, CONSTANTS = "manifest.json", "kernel.v", "tb.v", "weights.json"
GIVEN, MADE, HELD = "x.hex", "y.hex", "w.hex"
# What each row of the declared cells is a count of.
KEYS = {
    "additions": ("subtraction", "width", "passed"),
    "negations": ("width",),
    "multiplications": ("left", "right", "width"),
    "comparisons": ("width",),
    "muxes": ("width",),
    "tables": ("address", "entry"),
    "registers": ("width",),
    "logic": ("gate",),
}


def files_of(trial: Trial, seed: int) -> dict[str, str]:
    """Name to text of every file of a bundle, the manifest last."""
    files = run_files(trial)
    return files | {MANIFEST: json.dumps(manifest_of(trial, seed, files), indent=2) + "\n"}


def run_files(trial: Trial) -> dict[str, str]:
    """Name to text of every file that a simulator is given, and of those that say where numbers are from."""
    graph, ports = trial.kernel.graph, layout(trial.kernel.graph)
    files = {
        KERNEL: trial.text,
        BENCH_FILE: bench_of(trial),
        GIVEN: written(given_lines(trial), width_of(ports.given)),
        MADE: written(made_lines(trial), width_of(ports.made)),
    }
    if ports.held:
        rows = {name: values.reshape(1, -1) for name, values in trial.ports.items()}
        files[HELD] = written(words_of(ports.held, rows), width_of(ports.held))
    if trial.built_in:
        weights = {name: list(map(int, values)) for name, values in trial.built_in.items()}
        files[CONSTANTS] = json.dumps(weights) + "\n"
    for number, table in enumerate(tables_of(graph)):
        files[table_name(number)] = written(table_words(table), table.result.bits)
    return files


def bench_of(trial: Trial) -> str:
    """The test bench of a trial."""
    graph = trial.kernel.graph
    return bench(layout(graph), top=TOP, vectors=trial.vectors, steps=trial.steps, clocked=bool(graph.feeds))


def given_lines(trial: Trial) -> list[int]:
    """The numbers of x.hex: every step of the first vector, then of the second …"""
    fields = layout(trial.kernel.graph).given
    steps = [{name: values[step] for name, values in trial.moving.items()} for step in range(trial.steps)]
    return _by_vector([words_of(fields, each) for each in steps])


def made_lines(trial: Trial) -> list[int]:
    """The numbers of y.hex, from the netlist's own run."""
    fields = layout(trial.kernel.graph).made
    return _by_vector([words_of(fields, each) for each in trial.outputs])


def tables_of(graph: Graph) -> list[Table]:
    """The different tables of a kernel, in the order of their modules."""
    return list(dict.fromkeys(node.table for node in graph.nodes if node.table is not None))


def table_name(number: int) -> str:
    """The file of a table."""
    return f"table_{number}.hex"


def table_words(table: Table) -> list[int]:
    """The entries of a table as bits, by the operand's bit pattern."""
    return [entry % (1 << table.result.bits) for entry in table.entries]


def rows_of(cells: Declared) -> dict[str, list[dict[str, int | bool]]]:
    """Declared cells as plain data: for every row its kinds, each with the widths that make it one and a count."""
    found = {}
    for row, names in KEYS.items():
        counts: Counter[tuple[int, ...] | int] = getattr(cells, row)
        kinds = sorted((key if isinstance(key, tuple) else (key,), count) for key, count in counts.items() if count)
        found[row] = [dict(zip(names, key, strict=True)) | {"count": count} for key, count in kinds]
    return found


def digest(text: str) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(text.encode()).hexdigest()


def _by_vector(steps: Sequence[Sequence[int]]) -> list[int]:
    return [word for vector in zip(*steps, strict=True) for word in vector]


def manifest_of(trial: Trial, seed: int, files: Mapping[str, str]) -> dict[str, object]:
    """What a manifest says of a trial and the files made of it."""
    graph, ports, layer = trial.kernel.graph, layout(trial.kernel.graph), trial.layer
    return {
        "schema": SCHEMA,
        "tool": {"name": "nncomplexity", "version": VERSION},
        "name": trial.name,
        "kind": layer.kind,
        "formats": {name: str(format) for name, format in layer.formats.items()},
        "style": trial.style,
        "activation": trial.activation,
        "rounding": trial.kernel.rounding.value,
        "overflow": trial.kernel.overflow.value,
        "schedule": UNROLLED,
        "seed": seed,
        "drawn": sorted(trial.drawn),
        "vectors": trial.vectors,
        "steps": trial.steps,
        "top": TOP,
        "clock": {"clock": "clk", "edge": "rising", "reset": "rst", "active": 1} if graph.feeds else None,
        "ports": [
            *(_port(field, "input", GIVEN) for field in ports.given),
            *(_port(field, "input", HELD) for field in ports.held),
            *(_port(field, "output", MADE) for field in ports.made),
        ],
        "operands": {port: name for name, port in trial.kernel.names.items()},
        "tables": [
            {
                "file": table_name(number),
                "module": f"nc_table_{number}",
                "function": table.function,
                "operand": str(table.operand),
                "result": str(table.result),
                "entries": len(table.entries),
            }
            for number, table in enumerate(tables_of(graph))
        ],
        "declared": rows_of(declared(graph)),
        "layer": recorded(layer),
        "files": {name: digest(text) for name, text in files.items()},
    }


def _port(field: Field, direction: str, file: str) -> dict[str, object]:
    return {
        "name": field.port,
        "direction": direction,
        "file": file,
        "low": field.low,
        "width": field.width,
        "elements": field.elements,
        "bits": field.bits,
        "signed": field.signed,
        "fraction": field.fraction,
    }
