"""Fits what `report` predicts to what a synthesis tool makes of random layers, and tests it on others.

    python benchmarks/calibrate.py                      the fit from the stored results, compared with what is stored
    python benchmarks/calibrate.py --measure            synthesise what is not in the cache, rewrite the results
    python benchmarks/calibrate.py --store              write the coefficients that `report` uses
    python benchmarks/calibrate.py --plot FILE.svg      BOP, NABS and full-adder bits against look-up tables

Results are rows of calibration.csv: the layer in words, its operators by structure, what the tool made of it. Three
layers in five are fitted, two are tested. The fit is linear in the structure of the operators, by least squares of the
relative error, reweighted so that large errors count no more than in proportion.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from layers_drawn import Made, drawn_case, made
from nncomplexity.hw.cache import Cache, cache_folder
from nncomplexity.hw.synth import synthesise
from nncomplexity.hw.targets import TARGETS
from nncomplexity.hw.tools import yosys_version
from nncomplexity.metrics import BY_KEY, prediction
from nncomplexity.metrics.prediction import price, structure
from nncomplexity.ops import Inventory

__all__ = ["Row", "decoded", "encoded", "fit", "read_rows", "stored"]

ROWS = Path(__file__).parent / "calibration.csv"
DATA = Path(prediction.__file__).parent / prediction.DATA
SEEDS = {"lut6": 280, "xilinx": 100}
# Structures by letter: the names of their amounts.
LETTERS = {
    "A": ("adder_bits", "adders"),
    "K": ("constant_adder_bits", "constant_adders"),
    "P": ("product_bits", "factor_bits"),
    "C": ("compared_bits",),
    "R": ("rectified_bits",),
    "T": ("table_entry_bits", "table_bits"),
    "L": ("sigmoid_bits", "sigmoids"),
    "H": ("tanh_bits", "tanhs"),
}
FULL_ADDERS = ("adder_bits", "constant_adder_bits", "product_bits")
SUMS = frozenset({"dense", "conv1d", "conv2d"})
# Errors below this weigh alike.
SMALL = 0.02
Structures = Counter[tuple[tuple[str, int], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A layer and what was measured; xilinx_*: None where it was not mapped to that target."""

    seed: int
    kind: str
    fields: str
    quant: str
    style: str
    operators: str
    bop: int
    nabs: int
    lut6: int
    ff: int
    xilinx: int | None
    carry: int | None
    dsp: int | None

    @property
    def tested(self) -> bool:
        """Whether the layer is kept out of the fit."""
        return self.seed % 5 > 2

    @property
    def structures(self) -> Structures:
        """Its operators."""
        return decoded(self.operators)

    def amount(self, *names: str) -> int:
        """So much of a structure in all operators."""
        return sum(dict(each).get(name, 0) * times for each, times in self.structures.items() for name in names)

    def predicted(self, coefficients: Mapping[str, float]) -> int:
        """Look-up tables by coefficients."""
        return sum(price(dict(each), coefficients) * times for each, times in self.structures.items())


def encoded(inventory: Inventory) -> str:
    """The operators of an inventory by structure: `A9.1*12` are twelve adders of nine bits."""
    found: Counter[str] = Counter()
    for op, times in inventory:
        amounts = structure(op)
        if amounts is None or not isinstance(times, int):
            raise ValueError(f"{op} has no structure")
        if amounts:
            letter = next(letter for letter, names in LETTERS.items() if tuple(amounts) == names)
            found[letter + ".".join(map(str, amounts.values()))] += times
    return " ".join(f"{word}*{times}" for word, times in sorted(found.items()))


def decoded(text: str) -> Structures:
    """What `encoded` wrote."""
    found: Structures = Counter()
    for word in text.split():
        amounts, _, times = word[1:].partition("*")
        found[tuple(zip(LETTERS[word[0]], map(int, amounts.split(".")), strict=True))] += int(times)
    return found


def measured(seed: int, cache: Cache) -> Row:
    """Build and synthesise one layer."""
    case = drawn_case(seed)
    kernel: Made = made(case)
    generic = synthesise(kernel.verilog, "lut6", cache=cache)
    device = synthesise(kernel.verilog, "xilinx", cache=cache) if seed < SEEDS["xilinx"] else None
    bop, nabs = (kernel.paper.total(BY_KEY[key].weight) for key in ("bop", "nabs"))
    assert isinstance(bop, int) and isinstance(nabs, int) and generic.lut is not None and generic.ff is not None
    return Row(
        **asdict(case),
        operators=encoded(kernel.inventory),
        bop=bop,
        nabs=nabs,
        lut6=generic.lut,
        ff=generic.ff,
        xilinx=device.lut if device else None,
        carry=device.carry if device else None,
        dsp=device.dsp if device else None,
    )


def read_rows(path: Path = ROWS) -> list[Row]:
    """The stored results."""
    texts = {each.name for each in fields(Row) if each.type == "str"}
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(**{name: value if name in texts else int(value) if value else None for name, value in row.items()})
            for row in csv.DictReader(file)
        ]


def write_rows(rows: Sequence[Row], path: Path = ROWS) -> None:
    """Replace the stored results."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def fit(rows: Sequence[Row], names: Sequence[str], result: Callable[[Row], int]) -> dict[str, float]:
    """Coefficients of structures by iterated least squares of the relative error."""
    matrix = np.array([[row.amount(name) for name in names] for row in rows], float)
    matrix /= np.array([result(row) for row in rows], float)[:, None]
    weights = np.ones(len(rows))
    for _ in range(60):
        found = np.linalg.lstsq(matrix * weights[:, None], weights, rcond=None)[0]
        weights = 1 / np.sqrt(np.maximum(np.abs(matrix @ found - 1), SMALL))
    return {name: round(float(value), 4) for name, value in zip(names, found, strict=True)}


def errors(rows: Sequence[Row], guess: Callable[[Row], float], result: Callable[[Row], int]) -> dict[str, float]:
    """Relative errors of half and of nine tenths of the layers, at most."""
    found = [abs(guess(row) / result(row) - 1) for row in rows]
    parts = {"median": 0.5, "ninety": 0.9}
    return {name: round(float(np.quantile(found, part, method="higher")), 4) for name, part in parts.items()}


def fitted(rows: Sequence[Row], target: str, tool: str) -> dict[str, object]:
    """What is stored of one target."""

    def result(row: Row) -> int:
        found: int = getattr(row, target)
        return found

    names = [name for letter in LETTERS.values() for name in letter]
    own, other = _parted(rows)
    if target == "xilinx":
        # Multiplier blocks take in additions that stand behind them.
        own, other = ([row for row in part if not row.dsp] for part in (own, other))
    names = [name for name in names if any(row.amount(name) for row in own)]
    coefficients = fit(own, names, result)
    sums, tested = ([row for row in part if _shifted(row)] for part in (own, other))
    bits = np.array([row.amount(*FULL_ADDERS) / result(row) for row in sums])
    single = round(float(1 / np.median(bits)), 4)
    return {
        "tool": tool,
        "flags": list(TARGETS[target].commands),
        "fitted": len(own),
        "tested": len(other),
        "band": errors(other, lambda row: row.predicted(coefficients), result),
        "coefficients": coefficients,
        "single": single,
        "single_band": errors(tested, lambda row: single * row.amount(*FULL_ADDERS), result),
    }


def _shifted(row: Row) -> bool:
    """Whether a layer is sums of products by known weights."""
    return row.kind in SUMS and row.style == "shiftadd"


def _parted(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    return [row for row in rows if not row.tested], [row for row in rows if row.tested]


def stored() -> dict[str, object]:
    """The coefficients beside the metrics."""
    found: dict[str, object] = json.loads(DATA.read_text("utf-8"))
    return found


def figure(rows: Sequence[Row]) -> str:
    """BOP, NABS and full-adder bits of shift-add layers against their look-up tables, as an SVG text."""
    from nncomplexity.render.scatter import Panel, scatter

    shown = [row for row in rows if _shifted(row)]
    prices: dict[str, Callable[[Row], int]] = {
        "BOP": lambda row: row.bop,
        "NABS as published": lambda row: row.nabs,
        "full-adder bits": lambda row: row.amount(*FULL_ADDERS),
    }
    panels = []
    for label, cost in prices.items():
        xs, ys = [cost(row) for row in shown], [row.lut6 for row in shown]
        slope = float(np.median(np.array(ys) / np.array(xs)))
        error = errors(shown, lambda row, cost=cost, slope=slope: slope * cost(row), lambda row: row.lut6)["median"]
        remark = f"Pearson {np.corrcoef(xs, ys)[0, 1]:.3f}\nSpearman {_ranked(xs, ys):.3f}\nmedian error {error:.0%}"
        points = {
            name: [(cost(row), row.lut6) for row in shown if _family(row) == name]
            for name in ("uniform", "PoT", "APoT")
        }
        panels.append(Panel(x_label=label, points=points, line=slope, remark=remark))
    return scatter(panels, "look-up tables of six inputs")


def _family(row: Row) -> str:
    return {"w:p": "PoT", "w:a": "APoT"}.get(row.quant[:3], "uniform")


def _ranked(xs: Sequence[int], ys: Sequence[int]) -> float:
    """Spearman's coefficient: Pearson's of the ranks, equal numbers sharing theirs."""
    ranks = []
    for values in (xs, ys):
        order = np.sort(values)
        ranks.append((np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right")) / 2)
    return float(np.corrcoef(*ranks)[0, 1])


def said(found: Mapping[str, object], target: str) -> Iterator[str]:
    """The fit of a target in words."""
    for name, what in (
        ("band", "by structure"),
        ("single_band", "one coefficient a full-adder bit, shift-add sums alone"),
    ):
        band = found[name]
        assert isinstance(band, dict)
        yield f"{target}, {what}: median error {band['median']:.1%}, nine in ten within {band['ninety']:.1%}"
    yield f"{target}: {found['fitted']} layers fitted, {found['tested']} tested; {found['tool']}"


def main() -> None:
    """Measure, fit, print; store and plot where that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--jobs", type=int, default=1, help="layers measured at once")
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    arguments = parser.parse_args()
    before = stored() if DATA.exists() else {}
    if arguments.measure:
        cache = Cache(cache_folder() / "synth")
        # Threads are enough: the work is done in processes of the tool.
        with ThreadPoolExecutor(arguments.jobs) as pool:
            write_rows(list(pool.map(lambda seed: measured(seed, cache), range(max(SEEDS.values())))))
    rows, tool = read_rows(), tool_of(before, measured=arguments.measure)
    found = {target: fitted([row for row in rows if getattr(row, target)], target, tool) for target in SEEDS}
    for target in SEEDS:
        print(*said(found[target], target), sep="\n")
    if arguments.store:
        DATA.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    else:
        print("the stored coefficients are", "these" if found == before else "others: --store writes these")
    if arguments.plot:
        arguments.plot.write_text(figure(rows), "utf-8")


def tool_of(before: Mapping[str, object], *, measured: bool) -> str:
    """The tool behind the results: that of this environment if it has just run, else the one that is stored."""
    target = before.get("lut6")
    return yosys_version() if measured or not isinstance(target, dict) else str(target["tool"])


if __name__ == "__main__":
    main()
