"""Calls of operators written by hand: tensors, operators by name, what a refused call says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from nncomplexity.errors import ModelError
from nncomplexity.operators import family
from nncomplexity.operators.rule import Call, Operator, Result
from nncomplexity.shapes import Tensor

__all__ = ["by_name", "caller", "known", "operators_of", "refusals", "tensor"]


def tensor(*shape: Any, dtype: str = "float32", **fields: Any) -> Tensor:
    """A tensor of a shape, of float32 unless said otherwise."""
    return Tensor(dtype=dtype, shape=shape, **fields)


def known(*value: Any, shape: Any = None, dtype: str = "int64") -> Tensor:
    """A tensor of known elements, a vector of int64 unless said otherwise."""
    return Tensor(dtype=dtype, shape=(len(value),) if shape is None else shape, value=value)


def operators_of(*families: str) -> dict[tuple[str, str], Operator]:
    """The operators of some families, by domain and name."""
    return {(operator.domain, operator.name): operator for home in families for operator in family(home)}


def by_name(*families: str) -> dict[str, Operator]:
    """The operators of some families by name alone: the standard's, where another domain has its name too."""
    operators = operators_of(*families)
    return {name: operators[domain, name] for domain, name in sorted(operators, reverse=True)}


def caller(*families: str, version: int = 0, wanted: int = 1) -> Callable[..., Result]:
    """A function that calls an operator of these families; sizes only the data decide are named after node "n"."""
    plain, operators = by_name(*families), operators_of(*families)
    defaults = {"version": version, "wanted": wanted}

    def run(op: str, *inputs: Tensor | None, domain: str | None = None, alone: Any = (), **attributes: Any) -> Result:
        operator = plain[op] if domain is None else operators[domain, op]
        settings = {name: attributes.pop(name, default) for name, default in defaults.items()}
        call = Call(
            op=op,
            domain=operator.domain,
            version=settings["version"],
            inputs=inputs,
            attributes=attributes,
            wanted=(True,) * settings["wanted"],
            alone=alone,
            name="n",
        )
        return operator.rule(call)

    return run


def refusals(run: Callable[..., Result]) -> Callable[..., str]:
    """A function that makes a call which must be refused, and answers with what the refusal says."""

    def refusal(*arguments: Any, **attributes: Any) -> str:
        with pytest.raises(ModelError) as caught:
            run(*arguments, **attributes)
        return str(caught.value)

    return refusal
