"""Scaled dot-product attention, and the softmax it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format, accumulator
from ..ops import Role
from .layer import Layer
from .wiring import inverse_root, regrouped, repeated, size_of

__all__ = ["Attention", "softmax_rows"]

V = TypeVar("V")


def softmax_rows(m: Arithmetic[V], x: V, *, terms: Size, rows: Size, format: Format, sink: bool = False) -> V:
    """exp(x - max) / sum(exp(x - max)) over `rows` rows of `terms` values, stored in `format`.

    Counting: per row terms - 1 comparisons, terms subtractions and exponentials, terms - 1 additions, 1 reciprocal and
    terms products. A sink joins maximum and sum without being a term: 1 comparison, subtraction, exponential, addition.
    """
    top = m.greatest(x, terms=terms, outputs=rows, role=Role.ACTIVATION)
    if sink:
        top = m.compare(top, m.constant(1, format), role=Role.ACTIVATION)
    spread = repeated(rows, terms)
    shifted = m.subtract(x, m.arrange([top], rows * terms, spread), role=Role.ACTIVATION)
    powers = m.lookup(m.requantize(shifted, format), "exp")
    total = m.sum(powers, terms=terms, outputs=rows, role=Role.ACTIVATION)
    if sink:
        rest = m.requantize(m.subtract(m.constant(rows, format), top, role=Role.ACTIVATION), format)
        total = m.add(total, m.lookup(rest, "exp"), role=Role.ACTIVATION)
    inverse = m.arrange([m.lookup(total, "reciprocal", result=format)], rows * terms, spread)
    return m.requantize(m.multiply(powers, inverse, role=Role.ACTIVATION), format)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention(Layer):
    """Every query weighs the values by how well their keys match it.

    Equation: Y = softmax(scale * Q K^T + mask) V, per head
    Shapes: Q is [queries, key_size], K is [keys, key_size], V is [keys, value_size] in each of `heads` heads; K and V
    have `shared_heads` heads where groups of query heads share them; `batch` sequences; keys include cached ones.
    Counting: batch*heads*queries*keys*(key_size + value_size) products in the two contractions, both between
    variables, and their additions; the softmax of every row; `biases` additions per score (a mask, a position bias);
    with `softcap` one division, one tanh and one product per score. `scaling` says where the scale is applied:
    "operands" (Q and K by its root), "scores", or "none". Masked, causal and windowed scores are counted: a kernel that
    computes all of them does no more and no less.
    Source: Vaswani et al. 2017; grouped queries: Ainslie et al. 2023.
    """

    kind: ClassVar[str] = "attention"
    spec: ClassVar[tuple[str, ...]] = ("heads", "queries", "keys", "key_size", "value_size", "shared_heads")
    heads: Size
    queries: Size
    keys: Size
    key_size: Size
    value_size: Size
    batch: Size = 1
    shared_heads: Size | None = None
    scaling: str = "scores"
    biases: int = 0
    softcap: bool = False
    sink: bool = False
    key: Format | None = None
    value: Format | None = None

    def __post_init__(self) -> None:
        self._check_formats()
        self._check("heads", "queries", "keys", "key_size", "value_size", "shared_heads", least=0)

    @property
    def input_shape(self) -> tuple[Size, ...]:
        """The queries, heads side by side."""
        return (self.queries, self.heads * self.key_size)

    @property
    def output_shape(self) -> tuple[Size, ...]:
        """What the heads answer, side by side."""
        return (self.queries, self.heads * self.value_size)

    @property
    def key_heads(self) -> Size:
        """Heads of K and V."""
        return self.heads if self.shared_heads is None else self.shared_heads

    @property
    def formats(self) -> dict[str, Format]:
        """K and V are as wide as Q where nothing else is said."""
        key = self.key or self.input
        return {
            "input": self.input,
            "key": key,
            "value": self.value or self.input,
            "activation": self.activation,
            "accumulator": accumulator(self.key_size, self.input, key),
        }

    def equations(self, m: Arithmetic[V]) -> None:
        """All heads of all sequences at once."""
        if self.keys == 0:
            # Nothing to attend to: every sum is empty and every output zero.
            return
        rows = self.batch * self.heads * self.queries
        scores = self._modified(m, self._scores(m, rows))
        weights = softmax_rows(
            m, m.requantize(scores, self.activation), terms=self.keys, rows=rows, format=self.activation, sink=self.sink
        )
        v = m.variable(self.batch * self.key_heads * self.keys * self.value_size, self.formats["value"])
        outputs = rows * self.value_size
        weights = m.arrange([m.requantize(weights, self.input)], outputs * self.keys, self._weights)
        v = m.arrange([v], outputs * self.keys, self._values)
        m.dot(weights, v, terms=self.keys, outputs=outputs, role=Role.CONTRACTION)

    def _weights(self) -> list[int]:
        """Weights as the sums over keys meet them."""
        keys = range(size_of(self.keys))
        rows = range(size_of(self.batch) * size_of(self.heads) * size_of(self.queries))
        return [row * len(keys) + key for row in rows for _ in range(size_of(self.value_size)) for key in keys]

    def _values(self) -> list[int]:
        """V as the sums over keys meet it."""
        size, keys = size_of(self.value_size), range(size_of(self.keys))
        return [(base * len(keys) + key) * size + at for base in self._bases() for at in range(size) for key in keys]

    def _keys(self) -> list[int]:
        """K as the scores meet it."""
        size, keys = size_of(self.key_size), range(size_of(self.keys))
        return [(base * len(keys) + key) * size + at for base in self._bases() for key in keys for at in range(size)]

    def _bases(self) -> list[int]:
        """The head of K and V of every query, batch by batch, head by head."""
        heads, held = size_of(self.heads), size_of(self.key_heads)
        each = (batch * held + head * held // heads for batch in range(size_of(self.batch)) for head in range(heads))
        return [base for base in each for _ in range(size_of(self.queries))]

    def _scores(self, m: Arithmetic[V], rows: Size) -> V:
        """scale * Q K^T."""
        q = m.variable(rows * self.key_size, self.input)
        key = self.formats["key"]
        k = m.variable(self.batch * self.key_heads * self.keys * self.key_size, key)
        if self.scaling == "operands":
            q = m.requantize(m.multiply(q, m.constant(1, self.input, "scale.q"), role=Role.SCALE), self.input)
            k = m.requantize(m.multiply(k, m.constant(1, key, "scale.k"), role=Role.SCALE), key)
        terms = rows * self.keys * self.key_size
        q = m.arrange([q], terms, regrouped(rows, self.key_size, self.keys))
        k = m.arrange([k], terms, self._keys)
        scores = m.dot(q, k, terms=self.key_size, outputs=rows * self.keys, role=Role.CONTRACTION)
        scores = m.requantize(scores, self.input)
        if self.scaling == "scores":
            scale = m.constant(1, self.input, value=inverse_root(self.key_size))
            scores = m.requantize(m.multiply(scores, scale, role=Role.SCALE), self.input)
        return scores

    def _modified(self, m: Arithmetic[V], scores: V) -> V:
        """softcap * tanh(scores / softcap) + biases."""
        elements = self.batch * self.heads * self.queries * self.keys
        if self.softcap:
            scores = m.lookup(m.lookup(scores, "division"), "tanh")
            scores = m.requantize(m.multiply(scores, m.constant(1, self.input), role=Role.SCALE), self.input)
        for _ in range(self.biases):
            scores = m.requantize(m.add(scores, m.variable(elements, self.input), role=Role.ELEMENTWISE), self.input)
        return scores
