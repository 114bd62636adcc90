"""What the fields of a layer may be: every refusal names the field, the value and the rule."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from nncomplexity.accounting import count
from nncomplexity.errors import SpecError
from nncomplexity.expressions import Expression, substitute, symbol
from nncomplexity.formats import Fixed
from nncomplexity.layers import layer_class
from nncomplexity.metrics import BY_KEY

SMALL = {"steps": 2, "inputs": 3, "hidden": 4}
RESERVOIR = {"inputs": 3, "reservoir": 20, "outputs": 2}
SEQUENCE = {"length": 5, "channels": 4, "filters": 6, "kernel_size": 3}


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("lstm", {**SMALL, "hidden": 0}, "lstm: hidden is 0, expected an integer of at least 1 [E-SPEC-SIZE]"),
        ("gru", {**SMALL, "steps": True}, "gru: steps is True, expected an integer of at least 1 [E-SPEC-SIZE]"),
        ("dense", {"inputs": 2.5, "units": 1}, "dense: inputs is 2.5, expected an integer of at least 1 [E-SPEC-SIZE]"),
        (
            "rnn",
            {**SMALL, "weight": Fixed(bits=65)},
            "rnn: weight.bits is 65, expected an integer from 1 to 64 [E-SPEC-SIZE]",
        ),
        ("esn", RESERVOIR, "esn: expected either density or nonzeros_per_row [E-SPEC-DENSITY]"),
        (
            "esn",
            {**RESERVOIR, "density": 0.1, "nonzeros_per_row": 2},
            "esn: expected either density or nonzeros_per_row [E-SPEC-DENSITY]",
        ),
        (
            "esn",
            {**RESERVOIR, "density": "0.12"},
            "esn: density 0.12 of 20 reservoir units is not whole, expected 0.1 or 0.15 [E-SPEC-WHOLE]",
        ),
        (
            "esn",
            {**RESERVOIR, "density": 1.5},
            "esn: density is 1.5, expected a decimal or a fraction from 0 to 1 [E-SPEC-PART]",
        ),
        (
            "esn",
            {**RESERVOIR, "nonzeros_per_row": 21},
            "esn: nonzeros_per_row is 21, expected at most 20, the reservoir [E-SPEC-SIZE]",
        ),
        ("esn_pod", {**RESERVOIR, "rank": 21}, "esn_pod: rank is 21, expected at most 20, the reservoir [E-SPEC-SIZE]"),
        (
            "gatel0rd",
            {**SMALL, "outputs": 1, "open_rate": Fraction(1, 3)},
            "gatel0rd: open_rate 1/3 of 4 hidden units is not whole, expected 0.25 or 0.5 [E-SPEC-WHOLE]",
        ),
        (
            "conv1d",
            {**SEQUENCE, "groups": 4},
            "conv1d: groups is 4, expected a divisor of 6 filters [E-SPEC-SIZE]",
        ),
        (
            "conv1d",
            {**SEQUENCE, "kernel_size": 7},
            "conv1d: kernel_size is 7, expected one that fits the padded input [E-SPEC-SIZE]",
        ),
        (
            "conv1d",
            {**SEQUENCE, "padding": "valid"},
            'conv1d: padding is valid, expected an integer of at least 0, two of them or "same" [E-SPEC-SIZE]',
        ),
        (
            "conv2d",
            {"height": 5, "width": 4, "channels": 1, "filters": 1, "kernel_size": (2, 0)},
            "conv2d: kernel_size is (2, 0), expected an integer of at least 1, or two of them [E-SPEC-SIZE]",
        ),
        (
            "kan",
            {"inputs": 3, "units": 2, "basis": "wavelet"},
            "kan: basis is wavelet, expected one of bspline, grbf, chebyshev, fourier [E-SPEC-SIZE]",
        ),
        (
            "organism",
            {"inputs": 3, "units": 2, "particle": [5, 2]},
            "organism: particle is [5, 2], "
            "expected two or more integers of at least 1, the last of them 1 [E-SPEC-SIZE]",
        ),
    ],
)
def test_wrong_fields_are_refused_by_name(kind: str, fields: dict[str, Any], text: str) -> None:
    with pytest.raises(SpecError) as refused:
        layer_class(kind)(**fields)
    assert str(refused.value) == text


def test_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(SpecError) as refused:
        layer_class("lstm97")
    assert str(refused.value) == "layer kind 'lstm97' is unknown; did you mean 'lstm1997'? [E-SPEC-KIND]"


def test_a_free_size_passes_every_rule() -> None:
    layer: Any = layer_class("esn")(inputs=3, reservoir=symbol("n"), density="0.1", outputs=2)  # type: ignore[call-arg]
    products = count(layer).total(BY_KEY["rm"].weight)
    assert isinstance(products, Expression)
    assert substitute(products, {"n": 20}) == 20 * (3 + 2 + 2 + 2)


@pytest.mark.parametrize("scaling", ["operands", "scores", "none"])
def test_keys_and_values_are_as_wide_as_queries_unless_said(scaling: str) -> None:
    sizes = {"heads": 3, "queries": 5, "keys": 7, "key_size": 4, "value_size": 9}
    eight = Fixed(bits=8)
    layer: Any = layer_class("attention")
    said, unsaid = (
        layer(**sizes, scaling=scaling, input=eight, activation=eight, **more)
        for more in ({"key": eight, "value": eight}, {})
    )
    assert count(said) == count(unsaid)
    assert said.formats == unsaid.formats
