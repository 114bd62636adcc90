"""The paper's three quantizers on one dense layer: adders as bounded, as digits, shared, and what synthesis makes.

    python benchmarks/quantizers.py [--inputs 8] [--units 6] [--bits 8] [--seed 0] [--target lut6]

Weights are drawn over what each quantizer allows. Adders are all of the layer: those inside its multiplications and
those that sum the products. bound: as published, X for each product. csd: the canonical signed digits of the weights,
as the kernel has them. shared: after pairs of digits that occur twice are computed once. Multipliers and adders of the
netlist are counted in the emitted text by the synthesis tool, and its look-up tables are those of the mapped kernel.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass

from nncomplexity.accounting import count
from nncomplexity.catalogue import Network
from nncomplexity.hw.cache import Cache, cache_folder
from nncomplexity.hw.counts import known_matrices
from nncomplexity.hw.mapping import mapped
from nncomplexity.hw.preparation import prepared
from nncomplexity.layers.dense import Dense
from nncomplexity.metrics import BY_KEY
from nncomplexity.ops import Inventory
from nncomplexity.quantization import parse_quantization

__all__ = ["Compared", "compared"]

ADDERS = BY_KEY["adders"].weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One quantizer on the layer. bound, csd, shared: adders; multipliers, adders: of the netlist; lut: measured."""

    quantizer: str
    bound: int
    csd: int
    shared: int
    multipliers: int
    adders: int
    full_adders: int
    lut: int | None


def compared(
    layer: Dense, bits: int, *, seed: int = 0, target: str = "lut6", cache: Cache | None = None
) -> list[Compared]:
    """The layer under uniform, power-of-two and additive power-of-two weights of so many bits."""
    found = []
    for name, quant in (
        ("uniform", f"w{bits}a{bits}"),
        ("PoT", f"w:pot{bits},a{bits}"),
        ("APoT", f"w:apot{bits}x2,a{bits}"),
    ):
        (part,) = Network([layer]).parts(parse_quantization(quant))
        kernel = mapped(part, target, style="shiftadd", seed=seed, cache=cache)
        known = known_matrices(prepared(part, style="shiftadd", vectors=1, seed=seed))
        bound, csd, shared = (
            _adders(count(part.layer, counter, operands=known)) for counter in ("paper", "shiftadd", "shared")
        )
        found.append(
            Compared(
                quantizer=name,
                bound=bound,
                csd=csd,
                shared=shared,
                multipliers=kernel.declared.multipliers,
                adders=kernel.declared.adders,
                full_adders=kernel.declared.full_adders,
                lut=kernel.synthesis.lut,
            )
        )
    return found


def _adders(inventory: Inventory) -> int:
    found = inventory.total(ADDERS)
    assert isinstance(found, int)
    return found


def main() -> None:
    """Compare, print one table."""
    from tabulate import tabulate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("inputs", 8), ("units", 6), ("bits", 8), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--target", default="lut6")
    arguments = parser.parse_args()
    layer = Dense(inputs=arguments.inputs, units=arguments.units)
    cache = Cache(cache_folder() / "synth")
    rows = compared(layer, arguments.bits, seed=arguments.seed, target=arguments.target, cache=cache)
    print(tabulate([asdict(row) for row in rows], headers="keys"))


if __name__ == "__main__":
    main()
