"""Process time and memory of counting weights value by value, beside a plain numpy pass in the same run.

    python benchmarks/weights.py [--outputs 10000] [--terms 10000]

Random int8 weights, full-range int8 inputs. A plain pass is what one would write first: `np.bincount` over all bytes,
and for the trees a ragged tree of int64 rows, one output after the other, measured on a few of them and scaled up.
Every figure is of this one process; the peak of memory holds everything up to its line.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from nncomplexity.weights.digits import signed_digits
from nncomplexity.weights.histogram import histogram, statistics
from nncomplexity.weights.trees import digit_trees, product_trees
from tabulate import tabulate

LOW, HIGH = -128, 127
# Outputs of the plain tree that are measured.
SAMPLE = 100


def seconds(work: Callable[[], object]) -> float:
    """Process time of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def memory() -> str:
    """Peak resident mebibytes so far."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"


def plain_tree(low: np.ndarray, high: np.ndarray) -> int:
    """Full-adder bits of one output's tree without low zeros and signs, level by level."""
    bits = 0
    while low.size > 1:
        even = low.size & ~1
        rest = low[even:], high[even:]
        low, high = low[:even].reshape(-1, 2).sum(axis=1), high[:even].reshape(-1, 2).sum(axis=1)
        bits += int((np.ceil(np.log2(np.maximum(-low, high + 1))) + 1).sum())
        low, high = np.concatenate([low, rest[0]]), np.concatenate([high, rest[1]])
    return bits


def plain(weights: np.ndarray, *, digits: bool) -> float:
    """Process time of the plain trees of all outputs, from a sample."""
    words = {value: np.array([sign << e for e, sign in signed_digits(value)]) for value in range(-128, 128)}
    sample = weights[:SAMPLE]

    def work() -> None:
        for row in sample:
            factors = np.concatenate([words[value] for value in row.tolist()]) if digits else row[row != 0].astype(int)
            ends = np.sort(np.stack([factors * LOW, factors * HIGH]), axis=0)
            plain_tree(ends[0], ends[1])

    return seconds(work) * len(weights) / len(sample)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outputs", type=int, default=10_000)
    parser.add_argument("--terms", type=int, default=10_000)
    asked = parser.parse_args()
    weights = np.random.default_rng(0).integers(-128, 128, (asked.outputs, asked.terms), dtype=np.int8)
    rows: list[tuple[str, float, str, float]] = []
    works: list[tuple[str, Callable[[], object], Callable[[], float]]] = [
        ("digit trees", lambda: digit_trees([weights], LOW, HIGH), lambda: plain(weights, digits=True)),
        ("product trees", lambda: product_trees([weights], LOW, HIGH), lambda: plain(weights, digits=False)),
        (
            "histogram and statistics",
            lambda: statistics(histogram([weights])),
            # Last, for numpy turns all bytes into 64-bit integers first.
            lambda: seconds(lambda: np.bincount(weights.reshape(-1).view(np.uint8))),
        ),
    ]
    for name, work, other in works:
        taken, peak = seconds(work), memory()
        rows.append((name, taken, peak, taken / other()))
    print(f"{weights.size:,} weights of {weights.nbytes / 2**20:.0f} MiB")
    print(tabulate(rows, ("", "CPU s", "peak MiB", "of a plain pass"), floatfmt=".3f"))


if __name__ == "__main__":
    main()
