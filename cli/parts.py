"""The layers of a specification that a command is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

from nncomplexity.catalogue import SUFFIXES, Part
from nncomplexity.errors import UsageError, did_you_mean, quoted
from nncomplexity.globs import Globs
from nncomplexity.parsers.quantization_file import read_quantization
from nncomplexity.parsers.spec import read_spec

from .pairs import parse_dims

__all__ = ["parts"]


def parts(arguments: argparse.Namespace) -> Iterator[Part]:
    """The layers that were asked for, their formats filled in."""
    file = arguments.source
    if not file.lower().endswith(SUFFIXES):
        fact = f"'{quoted(file)}' is no layer specification; {arguments.command} takes {' and '.join(SUFFIXES)} files"
        raise UsageError("E-VERIFY-INPUT", fact)
    quantization = read_quantization(arguments.quant)
    network, dims = read_spec(file), parse_dims(arguments.dim)
    for name in dims:
        if name not in network.free:
            raise UsageError("E-BIND-DIM", f"--dim: no size is called '{quoted(name)}'; see {quoted(file)}")
    network = network.bound(dims)
    known = [part.name for part in network.named]
    globs = Globs([arguments.layer])
    if all(globs.first([name]) is None for name in known):
        fact = f"--layer: no layer is called '{quoted(arguments.layer)}'; {did_you_mean(arguments.layer, known)}"
        raise UsageError("E-LAYER-NAME", fact)
    everywhere = network.accumulator(quantization)
    for part in network.parts(quantization):
        if globs.first([part.name]) is not None:
            yield replace(part, accumulator=part.accumulator or everywhere)
