"""The three ways of counting the bias of a convolution along one axis.

Source: after Freire et al., arXiv 2206.12191, reconstructed; the printed form of its first version is unverified.
"""

from __future__ import annotations

from typing import Any

import nncomplexity as nc
import pytest
from nncomplexity.accounting import count
from nncomplexity.expressions import symbol
from nncomplexity.formats import Fixed, accumulator
from nncomplexity.layers.conv1d import BIAS_VARIANTS
from nncomplexity.metrics import BY_KEY
from nncomplexity.parsers.spec import network_from

SIZES: dict[str, Any] = {"length": 41, "channels": 4, "filters": 35, "kernel_size": 11}
OTHERS: list[dict[str, Any]] = [
    {"length": 17, "channels": 6, "filters": 9, "kernel_size": 3, "groups": 3, "dilation": 3},
    {"length": 13, "channels": 3, "filters": 5, "kernel_size": 4, "padding": (2, 1), "stride": 2},
    {"length": 7, "channels": 1, "filters": 3, "kernel_size": 7},
]
EIGHT: dict[str, Any] = {"weight": Fixed(bits=8), "input": Fixed(bits=8)}


def costs(layer: nc.Conv1D, *keys: str, convention: str = "paper") -> list[Any]:
    inventory = count(layer, convention)
    return [inventory.total(BY_KEY[key].weight) for key in keys]


def test_the_variants_have_names() -> None:
    assert list(BIAS_VARIANTS) == ["P0", "P1", "P2"]
    assert BIAS_VARIANTS["P2"].startswith("v1-printed (unverified)")
    assert nc.Conv1D(**SIZES).bias_variant == "P1"


@pytest.mark.parametrize(
    ("variant", "bop", "nabs"),
    [("P1", 4105640, 8402240), ("P0", 4081770, 8378370), ("P2", 4082470, 8379070)],
)
def test_the_published_shape(variant: str, bop: int, nabs: int) -> None:
    """From the class and from a specification."""
    layer: Any = {"kind": "conv1d", **SIZES, "bias_variant": variant}
    assert costs(nc.Conv1D(**SIZES, **EIGHT, bias_variant=variant), "rm", "bop", "nabs") == [47740, bop, nabs]
    totals = nc.analyze({"quant": "w8a8", "layer": [layer]}).totals
    assert (totals.rm, totals.bop, totals.nabs) == (47740, bop, nabs)


@pytest.mark.parametrize("sizes", [SIZES, *OTHERS], ids=lambda sizes: f"{sizes['length']}")
@pytest.mark.parametrize("bits", [(8, 8), (3, 11)])
def test_what_a_variant_adds_to_none(sizes: dict[str, Any], bits: tuple[int, int]) -> None:
    """P1: one addition per output value as wide as the full sum; P2: one per filter, as wide as n_k products."""
    formats: dict[str, Any] = {"weight": Fixed(bits=bits[0]), "input": Fixed(bits=bits[1])}
    none, each, once = (nc.Conv1D(**sizes, **formats, bias_variant=variant) for variant in BIAS_VARIANTS)
    full, short = (accumulator(n, *formats.values()).bits for n in (none.terms, none.kernel_size))
    for layer, times, width in ((each, none.positions * none.filters, full), (once, none.filters, short)):
        differences = [
            a - b for a, b in zip(*(costs(x, "rm", "add", "bop", "nabs") for x in (layer, none)), strict=True)
        ]
        assert differences == [0, times, times * width, times * width]


@pytest.mark.parametrize("variant", BIAS_VARIANTS)
def test_without_bias_every_variant_is_none(variant: str) -> None:
    layer, none = (
        nc.Conv1D(**SIZES, **EIGHT, bias=bias, bias_variant=name) for bias, name in ((False, variant), (True, "P0"))
    )
    assert count(layer) == count(none)
    assert layer.parameters() == none.parameters() == {"weight": 35 * 44}
    assert nc.Conv1D(**SIZES, bias_variant=variant).parameters().get("bias", 0) == (0 if variant == "P0" else 35)


@pytest.mark.parametrize("variant", BIAS_VARIANTS)
@pytest.mark.parametrize("convention", ["paper", "exact"])
def test_free_sizes_and_conventions(variant: str, convention: str) -> None:
    """How often is the same in both conventions, and with letters for sizes."""
    layer = nc.Conv1D(**SIZES, **EIGHT, bias_variant=variant)
    keys = ("rm", "mac", "add")
    letters: dict[str, Any] = {name: symbol(name) for name in SIZES}
    free = nc.Conv1D(**letters, **EIGHT, bias_variant=variant)
    bound = nc.analyze(free, dims=SIZES, quant="w8a8")
    assert costs(layer, *keys, convention=convention) == [bound.totals[key] for key in keys]


def test_a_variant_that_does_not_exist() -> None:
    for table, text in (
        ({"bias_variant": "P3"}, "conv1d: bias_variant is P3, expected one of P0, P1, P2 [E-SPEC-SIZE]"),
        ({"bias_variant": 2}, "conv1d: bias_variant is 2, expected a text [E-SPEC-TYPE]"),
    ):
        with pytest.raises(nc.SpecError) as found:
            network_from({"layer": [{"kind": "conv1d", **SIZES, **table}]})
        assert str(found.value) == f"layer[0]: {text}"
