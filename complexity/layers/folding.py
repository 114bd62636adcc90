"""Constant folding in networks of linear neurons without biases: what is left where some inputs are constant zeros."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["LinearChain", "fold_linear"]


@dataclass(frozen=True, slots=True)
class LinearChain:
    """Dense linear layers without biases, one behind the other: y = W_n ... W_2 W_1 x over `widths`."""

    widths: tuple[int, ...]

    @property
    def products(self) -> int:
        """Products of one application."""
        return sum(before * after for before, after in pairwise(self.widths))

    @property
    def additions(self) -> int:
        """Additions of one application; an empty sum has none."""
        return sum(max(before - 1, 0) * after for before, after in pairwise(self.widths))

    @property
    def collapsed(self) -> LinearChain:
        """The same map as one layer: the weights, all constant, are multiplied out before the run."""
        return LinearChain((self.widths[0], self.widths[-1]))


def fold_linear(widths: Sequence[int], live_inputs: Collection[int]) -> LinearChain:
    """The chain of these widths when every input outside `live_inputs` is a constant 0.

    A zero takes its column of the first layer with it: those products and their additions. Behind the first layer
    every neuron depends on each live input, so nothing more folds. Without a live input everything is 0: no products.
    Raises: ValueError for a chain without a layer, a width below 1, or an input the chain does not have.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths are {list(widths)}, expected two or more integers of at least 1")
    live = frozenset(live_inputs)
    if not all(0 <= each < widths[0] for each in live):
        raise ValueError(f"live inputs are {sorted(live)}, expected positions from 0 to {widths[0] - 1}")
    return LinearChain((len(live), *widths[1:]) if live else (0, widths[-1]))
