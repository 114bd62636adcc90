"""What the numbers of a report take for granted, as lines for its reader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .metrics import BY_KEY
from .metrics.bop import METRIC as BOP
from .metrics.prediction import calibration
from .requantization import MULTIPLIER_BITS

if TYPE_CHECKING:
    from .report import Report

__all__ = ["assumptions_of"]

# The operations as the paper sees them: no weights are read for a remark.
BOUND = BY_KEY["nabs_bound"]
WIDTHS = {
    "paper": "every addition of a dot product costs its final accumulator (after arXiv 2206.12191, reconstructed)",
    "exact": "balanced adder trees, every wire as wide as its interval; known weights by value: 0 is no product, "
    "+-2^k a shift, NABS the full adders of their signed digits; unknown weights have the full range of their format",
}


def assumptions_of(report: Report) -> list[str]:
    """Formats from outside the file first, then what counting had to assume."""
    network = report.network
    lines: list[str] = []
    if network.quantization not in ("model", "none"):
        quantized = " and quantized" if any(row.encodings or row.kind == "quantizer" for row in network.rows) else ""
        lines.append(f"--quant {network.quantization} applied to float{quantized} tensors")
    if network.input_bits is not None:
        lines.append(f"--input-bits {network.input_bits} applied to float inputs of the graph")
    lines.append(f"{report.convention}: {WIDTHS[report.convention]}")
    if any(getattr(row.work, "bias_variant", None) == "P2" for row in network.rows):
        lines.append("bias variant P2 of a convolution, added once: as v1 of the paper is remembered, unverified")
    if _floats(report):
        lines.append("float operands count their storage bits in BOP")
    encodings = [encoding for row in network.rows for encoding in row.encodings.values()]
    if any(encoding.zero_point != 0 for encoding in encodings):
        lines.append("zero points of activations are folded into biases, weights are counted less theirs")
    if report.convention == "exact" and any(row.requantization is not None for row in network.rows):
        lines.append(f"scales whose ratio is no power of two meet in a multiplier of {MULTIPLIER_BITS} bits")
    if network.free:
        lines.append("free sizes are at least 1")
    if any(entry.row.kind == "if" and (entry.row.reason or "").startswith("the dearer") for entry in report.entries):
        lines.append("of an If whose condition is not known, the branch of more FLOPs is charged")
    return [*lines, *_predictions(report)]


def _predictions(report: Report) -> Iterator[str]:
    """What stands behind the predictions that were asked for."""
    asked = [key for key in dict.fromkeys(report.asked) if BY_KEY[key].predicted]
    if not asked:
        return
    yield (
        f"predictions, no counts: {', '.join(asked)}: of one kernel a row, which all its executions share; known "
        "weights shifted and added, others of full range: powers of two and their sums shifted, the rest multiplied"
    )
    if "lut" in asked:
        fit = calibration()
        yield (
            f"lut: fitted to {fit.tool} on {fit.fitted} small random layers; on {fit.tested} others half are within "
            f"{fit.band.median:.0%}, nine in ten within {fit.band.ninety:.0%}; six inputs, no carry chains, no blocks"
        )
    if "dsp" in asked:
        yield "dsp: multipliers cut to blocks of 25 x 18 bits, as synthesis for Xilinx 7 does; lut holds them instead"
    if "nlg" in asked:
        yield "nlg: by convention 5 gates a full adder, AND and full adder a bit of a multiplier, inverters free"


def _floats(report: Report) -> bool:
    return any(
        (op.left.floating or op.right.floating) and BOP.weight(op) != 0
        for entry in report.entries
        for op, _ in entry.operations_of(BOUND)
    )
