"""A bundle judged as it lies: its kernel elaborated, counted and simulated, its numbers made again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest

from nncomplexity.errors import quoted

from .bundle_files import Lying, read_bundle
from .elaborate import elaborate
from .lines import layout, numbers_of
from .outline import port_differences
from .package import (
    BENCH_FILE,
    KERNEL,
    MADE,
    MANIFEST,
    bench_of,
    made_lines,
    manifest_of,
    table_name,
    table_words,
    tables_of,
)
from .proof import Differences, Verdict, judged
from .simulators import BUILTIN, SECONDS, check_simulator, run_bench
from .tools import NetlistError
from .trial import TOP

__all__ = ["verify_bundle"]

# What a manifest may say as it likes: it follows from nothing else in the bundle.
FREE = frozenset({"tool", "seed", "drawn", "files"})


def verify_bundle(directory: str | os.PathLike[str], *, simulator: str = BUILTIN, seconds: float = SECONDS) -> Verdict:
    """Judge a bundle by what its files do, not by whether they were touched.

    The kernel's cells are compared with the manifest's counts and with those of the layer that the manifest records,
    its outputs on x.hex with y.hex and with the netlist's own numbers, its tables entry by entry. A simulator runs a
    fresh test bench: that of the bundle might say anything. Files that are not as emitted are named in `changed`.
    Units: seconds of wall time for each run of another program.
    Raises: UsageError E-SIMULATOR-NAME, ModelError E-BUNDLE-* for what is no bundle, NetlistError for a kernel that
    cannot be elaborated, ToolError for a simulator that is missing, hangs or breaks down.
    """
    check_simulator(simulator)
    lying = read_bundle(directory)
    trial = lying.trial
    differences = Differences(tuple(_values(lying)), tuple(_counts(lying)))
    try:
        design = elaborate(lying.files[KERNEL], TOP)
        run = None
        if simulator != BUILTIN and not port_differences(design, trial.kernel.graph):
            files = {**lying.files, BENCH_FILE: bench_of(trial)}
            run = run_bench(trial, files, simulator, seconds)
        return replace(judged(trial, design, run, differences), changed=lying.changed, weights="given")
    except NetlistError as error:
        raise error.at(f"{quoted(os.fspath(directory))}: {KERNEL}") from None


def _values(lying: Lying) -> Iterator[str]:
    """Where the numbers of the bundle contradict the kernel that its manifest means."""
    trial = lying.trial
    fields = layout(trial.kernel.graph).made
    for line, (one, other) in enumerate(zip(made_lines(trial), lying.made, strict=True)):
        if one == other:
            continue
        vector, step = divmod(line, trial.steps)
        wanted, found = numbers_of(fields, [one]), numbers_of(fields, [other])
        for field in fields:
            for element, pair in enumerate(zip(wanted[field.port][0], found[field.port][0], strict=True)):
                if pair[0] != pair[1]:
                    place = f"vector {vector}, step {step}, element {element} of {field.port}"
                    yield f"netlist and {MADE}: {place}: {pair[0]} and {pair[1]}"
                    break
        break
    for number, table in enumerate(tables_of(trial.kernel.graph)):
        for entry, pair in enumerate(zip(table_words(table), lying.tables[number], strict=True)):
            if pair[0] != pair[1]:
                yield f"netlist and {table_name(number)}: entry {entry}: {pair[0]} and {pair[1]}"
                break


def _counts(lying: Lying) -> Iterator[str]:
    """Where the manifest contradicts the layer that it records."""
    wanted: Mapping[str, object] = json.loads(json.dumps(manifest_of(lying.trial, 0, lying.files)))
    for name, value in wanted.items():
        said = lying.manifest.get(name)
        if name not in FREE and said != value:
            yield f"layer and {MANIFEST}: {_apart(name, value, said)}"


def _apart(name: str, one: object, other: object) -> str:
    """The innermost place where two values of plain data differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        key = next(key for key in {**one, **other} if one.get(key) != other.get(key))
        return _apart(f"{name}.{key}", one.get(key), other.get(key))
    if isinstance(one, list) and isinstance(other, list):
        pairs = enumerate(zip_longest(one, other))
        place, (left, right) = next((place, pair) for place, pair in pairs if pair[0] != pair[1])
        return _apart(f"{name}[{place}]", left, right)
    return f"{name}: {quoted(one)} and {quoted(other)}"
