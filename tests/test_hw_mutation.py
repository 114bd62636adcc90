"""A hundred faults, put into emitted Verilog one at a time: none of them passes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from importlib.util import find_spec

import nncomplexity as nc
import pytest
from nncomplexity.hw import proof
from nncomplexity.hw.elaborate import Design, elaborate
from nncomplexity.hw.tools import NetlistError
from nncomplexity.hw.verilog_modules import MODULES

pytestmark = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")

LAYERS = {
    "dense": (nc.Dense(inputs=5, units=3), "w8a8", "shiftadd"),
    "dense, products": (nc.Dense(inputs=5, units=3), "w5a7", "mac"),
    "dense, powers of two": (nc.Dense(inputs=7, units=4), "w:pot4,a6", "shiftadd"),
    "dense, sums of powers": (nc.Dense(inputs=4, units=5), "w:apot6x2,a5", "shiftadd"),
    "conv1d": (nc.Conv1D(length=9, channels=3, filters=2, kernel_size=3), "w4a8", "shiftadd"),
    "rnn": (nc.RNN(steps=3, inputs=3, hidden=4), "w6a6", "shiftadd"),
    "gru": (nc.GRU(steps=3, inputs=2, hidden=3), "w4a6", "mac"),
    "lstm": (nc.LSTM(steps=3, inputs=3, hidden=2), "w8a8", "mac"),
    "lstm, shifts": (nc.LSTM(steps=3, inputs=2, hidden=2), "w:pot4,a6", "shiftadd"),
    "lstm1997": (nc.LSTM1997(steps=3, inputs=2, hidden=2), "w4a7", "shiftadd"),
}
Fault = Callable[[str, random.Random], str | None]
OPERATOR = re.compile(r"^  nc_(add|sub|mul) #\((.*)\) (\w+) \(\.a\((.*?)\), \.b\((.*?)\), \.y\(n(\d+)\)\);$", re.M)


def replaced(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def chosen(pattern: re.Pattern[str], text: str, draw: random.Random) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return draw.choice(found) if found else None


def swapped(text: str, draw: random.Random) -> str | None:
    """An addition for a subtraction, or the other way round."""
    match = chosen(re.compile(r"^  nc_(add|sub) ", re.M), text, draw)
    if match is None:
        return None
    other = {"add": "sub", "sub": "add"}[match[1]]
    missing = "" if f"module nc_{other} " in text else MODULES[f"nc_{other}"]
    return missing + replaced(text, match, f"  nc_{other} ")


def dropped(text: str, draw: random.Random) -> str | None:
    """An operator replaced by its first operand."""
    match = chosen(OPERATOR, text, draw)
    return replaced(text, match, f"  assign n{match[6]} = {match[4]};") if match else None


def shifted(text: str, draw: random.Random) -> str | None:
    """An operand shifted one place further."""
    match = chosen(re.compile(r", (\d+)'h0\}"), text, draw)
    return replaced(text, match, f", {int(match[1]) + 1}'h0}}") if match else None


def widened(text: str, draw: random.Random) -> str | None:
    """A wire, and the operator that drives it, one bit wider than its numbers need."""
    match = chosen(OPERATOR, text, draw)
    if match is None:
        return None
    wider = re.sub(r"\.Y\((\d+)\)", lambda found: f".Y({int(found[1]) + 1})", match[0])
    text = replaced(text, match, wider)
    declaration = re.compile(rf"^  wire signed \[(\d+):0\] n{match[6]};$", re.M)
    return declaration.sub(lambda found: f"  wire signed [{int(found[1]) + 1}:0] n{match[6]};", text)


def misread(text: str, draw: random.Random) -> str | None:
    """An operand taken from another wire."""
    match = chosen(OPERATOR, text, draw)
    if match is None or match[4] == match[5]:
        return None
    return replaced(text, match, match[0].replace(f".a({match[4]})", f".a({match[5]})"))


def entered(text: str, draw: random.Random) -> str | None:
    """An entry of a table off by one."""
    match = chosen(re.compile(r"(\d+)'h([0-9a-f]+);$", re.M), text, draw)
    return replaced(text, match, f"{match[1]}'h{int(match[2], 16) ^ 1:x};") if match else None


FAULTS: tuple[Fault, ...] = (swapped, dropped, shifted, widened, misread, entered)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("seed", range(10))
def test_no_fault_passes(name: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, quant, style = LAYERS[name]
    draw = random.Random(f"{name} {seed}")
    said = []

    def mutated(text: str, top: str) -> Design:
        for fault in draw.sample(FAULTS, len(FAULTS)):
            found = fault(text, draw)
            if found is not None and found != text:
                said.append(fault.__doc__)
                return elaborate(found, top)
        raise AssertionError("no fault fits")

    monkeypatch.setattr(proof, "elaborate", mutated)
    try:
        verdict = proof.verify(layer, quant=quant, style=style, vectors=100, seed=seed)
    except NetlistError:
        return
    assert not verdict and verdict.first_difference, said


@pytest.mark.parametrize("name", LAYERS)
def test_without_a_fault_all_is_equal(name: str) -> None:
    layer, quant, style = LAYERS[name]
    assert proof.verify(layer, quant=quant, style=style, vectors=100)
