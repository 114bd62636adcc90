"""The metrics: the index page."""

from __future__ import annotations

from . import (
    act,
    activation_bits,
    add,
    bop,
    bop_mac,
    cmp,
    cycles,
    dsp,
    ff,
    flops,
    lut,
    mac,
    mac_padding,
    nabs,
    nabs_details,
    nlg,
    params,
    peak_activation_bits,
    quantum,
    rm,
    weight_bits,
)
from .metric import Metric

__all__ = ["BY_KEY", "METRICS", "Metric"]

METRICS: tuple[Metric, ...] = (
    rm.METRIC,
    mac.METRIC,
    flops.METRIC,
    bop.METRIC,
    bop_mac.METRIC,
    nabs.METRIC,
    add.METRIC,
    cmp.METRIC,
    act.METRIC,
    params.METRIC,
    weight_bits.METRIC,
    activation_bits.METRIC,
    peak_activation_bits.METRIC,
    *quantum.METRICS,
    *nabs_details.METRICS,
    mac_padding.METRIC,
    nlg.METRIC,
    lut.METRIC,
    ff.METRIC,
    dsp.METRIC,
    *cycles.METRICS,
)
BY_KEY = {metric.key: metric for metric in METRICS}
