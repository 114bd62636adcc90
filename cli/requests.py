"""What the options ask of every input, and its reports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from nncomplexity.api import report_on
from nncomplexity.errors import ComplexityError, quoted
from nncomplexity.parsers.files import open_input
from nncomplexity.parsers.inputs import Bindings
from nncomplexity.parsers.quantization_file import read_quantization
from nncomplexity.report import Report

__all__ = ["Request", "split"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Bindings, convention and formats: one report of an input for each of `quants`.

    metrics: those asked for by name. detect: look for schemes in the values of weights.
    """

    bindings: Bindings
    convention: str
    quants: tuple[str, ...]
    input_bits: int | None = None
    metrics: tuple[str, ...] = ()
    detect: bool = False

    def __post_init__(self) -> None:
        for quant in self.quants:
            read_quantization(quant).with_input_bits(self.input_bits)

    def reports(self, place: str) -> Iterator[Report]:
        """The reports on an input, everything that can be refused already computed."""
        file, quants = split(place, self.quants)
        source: str | bytes = file
        if file == "-" and len(quants) > 1:
            try:
                source = bytes(open_input("-").view)
            except ComplexityError as error:
                raise error.at("standard input") from None
        for quant in quants:
            quantization = read_quantization(quant).with_input_bits(self.input_bits)
            quantization = replace(quantization, detect=self.detect)
            report = replace(report_on(source, self.bindings, quantization, self.convention), asked=self.metrics)
            if file == "-":
                report = replace(report, network=replace(report.network, path="-"))
            try:
                # Sums of free sizes may exceed a limit: that is a refusal of this input, not of the output.
                _ = report.coverage, report.network.free and dict(report.totals)
            except ComplexityError as error:
                raise error.at(quoted(file)) from None
            yield report


def split(place: str, quants: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """MODEL@QUANT in two, where no file has the whole name and one has the first part."""
    model, sign, quant = place.rpartition("@")
    if sign and not os.path.exists(place) and os.path.exists(model):
        return model, (quant,)
    return place, quants
