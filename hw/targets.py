"""What a kernel is mapped to: the passes of the synthesis tool for each family, and what its cells are.

Every flow dissolves the modules first. Where the tool lets its mapper's script be chosen, the short one is: within a
few per cent of the long one, in a sixth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nncomplexity.errors import UsageError, did_you_mean, quoted

__all__ = ["TARGETS", "Target", "target_of"]

SHORT = "+strash;dch;if,-K,6;mfs2"
FAST = "scratchpad -copy abc9.script.default.fast abc9.script"
GENERIC = "synth -flatten -noabc -top {top}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """commands: the passes after the text is read, with `{top}` for the name of its top module.

    The others name cells by their first letters. lut: one look-up table each; wide: cells with so many of them inside.
    inverters are in no total, also where another row names them. remark: what a total holds.
    """

    commands: tuple[str, ...]
    lut: tuple[str, ...] = ()
    wide: Mapping[str, int] = field(default_factory=dict)
    ff: tuple[str, ...] = ()
    dsp: tuple[str, ...] = ()
    carry: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    inverters: tuple[str, ...] = ()
    remark: str = ""


TARGETS: Mapping[str, Target] = {
    "xilinx": Target(
        commands=(FAST, "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {top}"),
        lut=("LUT",),
        ff=("FD",),
        dsp=("DSP48",),
        carry=("CARRY4",),
        inverters=("INV",),
        remark="LUT1 to LUT6, those in front of carry chains included; inverters excluded",
    ),
    "ice40": Target(
        commands=("synth_ice40 -device u -dsp -top {top}",),
        lut=("SB_LUT4",),
        ff=("SB_DFF",),
        dsp=("SB_MAC16",),
        carry=("SB_CARRY",),
        remark="SB_LUT4, those of carry chains and inverters included",
    ),
    "ecp5": Target(
        commands=(FAST, "synth_ecp5 -top {top}"),
        lut=("LUT4",),
        wide={"CCU2C": 2},
        ff=("TRELLIS_FF",),
        dsp=("MULT18X18D",),
        carry=("CCU2C",),
        remark="LUT4, inverters included, and the two in each cell of a carry chain",
    ),
    "gates": Target(
        commands=(GENERIC, "abc -g AND,OR,XOR", "opt_clean"),
        ff=("$_DFF", "$_SDFF"),
        gates=("$_AND_", "$_OR_", "$_XOR_"),
        inverters=("$_NOT_",),
        remark="AND, OR and XOR of two inputs; inverters excluded",
    ),
    "lut6": Target(
        commands=(GENERIC, f"abc -lut 6 -script {SHORT}", "opt_clean"),
        lut=("$lut_",),
        ff=("$_DFF", "$_SDFF"),
        inverters=("$lut_1",),
        remark="tables of up to six inputs without carry chains or multiplier blocks; inverters excluded",
    ),
}


def target_of(name: str) -> Target:
    """The target of a name. Raises UsageError E-SYNTH-TARGET."""
    if name not in TARGETS:
        raise UsageError("E-SYNTH-TARGET", f"target '{quoted(name)}' is unknown; {did_you_mean(name, TARGETS)}")
    return TARGETS[name]
