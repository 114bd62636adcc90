"""What the literature's letters stand for, in the order in which formulas are explained."""

from __future__ import annotations

__all__ = ["LETTERS"]

LETTERS = {
    "n_s": "steps",
    "n_i": "inputs",
    "n_h": "hidden units",
    "n_n": "neurons",
    "n_f": "filters",
    "n_k": "kernel taps along an axis",
    "N_r": "reservoir units",
    "n_o": "outputs",
    "O": "output positions",
    "B": "batch",
    "b_w": "bits of a weight",
    "b_i": "bits of an input",
    "b_a": "bits of an activation",
    "X_w": "adders per multiplication by a weight",
    "X_i": "adders per multiplication by an input",
    "X_a": "adders per multiplication by an activation",
    "clog2(n)": "ceil(log2 n)",
}
