"""Bundles given and taken: a layer's kernel written to a directory, and a directory judged as it lies."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nncomplexity.catalogue import Network, Part
from nncomplexity.layers.layer import Layer
from nncomplexity.quantization import parse_quantization

from .directories import write_directory
from .fixed import Overflow, Rounding
from .package import files_of
from .preparation import prepared
from .trial import Trial

__all__ = ["emit_bundle", "emit_part"]


def emit_bundle(
    layer: Layer,
    directory: str | os.PathLike[str],
    *,
    weights: Mapping[str, Sequence[int]] | None = None,
    quant: str = "model",
    style: str | None = None,
    activation: str = "piecewise",
    vectors: int = 1000,
    seed: int = 0,
) -> Path:
    """Write the kernel of one execution of a layer as a bundle: Verilog, test bench, numbers in and out, manifest.

    weights, quant, style, activation, vectors, seed: as `verify` reads them; equal arguments make equal bytes.
    A directory that is there is replaced if it is empty or a bundle.
    Raises: UnsupportedLayer for a layer without a kernel, UsageError E-KERNEL-FORMAT for float or free formats,
    OutputError E-OUTPUT where the directory cannot be written; nothing half-written stays.
    """
    network, said = Network([layer]), parse_quantization(quant)
    (part,) = network.parts(said)
    part = replace(part, accumulator=part.accumulator or network.accumulator(said))
    emit_part(part, directory, weights=weights, style=style, activation=activation, vectors=vectors, seed=seed)
    return Path(directory)


def emit_part(
    part: Part,
    directory: str | os.PathLike[str],
    *,
    weights: Mapping[str, Sequence[int]] | None = None,
    own: bool = False,
    style: str | None = None,
    activation: str = "piecewise",
    vectors: int = 1000,
    seed: int = 0,
    modes: tuple[Rounding, Overflow] = (Rounding.TRN, Overflow.WRAP),
) -> Trial:
    """`emit_bundle` for a layer whose formats are filled in; gives what was written. own, modes: as `prove`."""
    trial = prepared(
        part, weights=weights, own=own, style=style, activation=activation, vectors=vectors, seed=seed, modes=modes
    )
    write_directory(directory, files_of(trial, seed))
    return trial
