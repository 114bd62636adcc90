"""Numbers to prove a kernel on: weights of a format, and inputs that reach its ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nncomplexity.formats import AdditivePowerOfTwo, Binary, Format, PowerOfTwo, Ternary

from .trees import signed_digits

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["drawn_inputs", "drawn_weights"]


def drawn_weights(random: np.random.Generator, format: Format, elements: int) -> list[int]:
    """Integers drawn uniformly over what the format allows."""
    import numpy as np

    low, high = format.interval
    if isinstance(format, Binary):
        return list(map(int, random.choice([-1, 1], elements)))
    allowed = np.arange(low, high + 1)
    terms = 1 if isinstance(format, PowerOfTwo) else format.terms if isinstance(format, AdditivePowerOfTwo) else None
    if terms is not None:
        allowed = np.array([value for value in allowed.tolist() if len(signed_digits(value)) <= terms])
    elif not isinstance(format, Ternary) and high - low > 1 << 16:
        return list(map(int, random.integers(low, high + 1, elements)))
    return list(map(int, random.choice(allowed, elements)))


def drawn_inputs(random: np.random.Generator, ends: tuple[int, int], samples: int, elements: int) -> Array:
    """[samples, elements]: all smallest, all greatest, zeros, alternating ends, one at a time, then random numbers."""
    import numpy as np

    low, high = ends
    zero = min(max(0, low), high)
    alternating = np.where(np.arange(elements) % 2 == 0, low, high)
    directed = [np.full(elements, low), np.full(elements, high), np.full(elements, zero), alternating]
    for place in range(min(elements, samples // 2)):
        single = np.full(elements, zero)
        single[place] = high
        directed.append(single)
    found = random.integers(low, high + 1, (samples, elements))
    directed = directed[:samples]
    found[: len(directed)] = np.array(directed).reshape(len(directed), elements)
    return found
