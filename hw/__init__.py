"""The witness: the room of the fixed-point kernels that counts are checked against."""

from __future__ import annotations

__all__ = ["KERNELS"]

# Kinds of the catalogue that have a kernel.
KERNELS: tuple[str, ...] = ()
