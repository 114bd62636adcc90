"""What a neural network costs in multiplications, bits, adders and gates: as numbers and as formulas.

Public names are loaded when they are first used, so that `nncomplexity --version` loads neither onnx nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import analyze
    from .errors import BindingError, ComplexityError, ModelError, QuantizationError, SpecError, UsageError
    from .report import Report
    from .version import VERSION as __version__

__all__ = [
    "BindingError",
    "ComplexityError",
    "ModelError",
    "QuantizationError",
    "Report",
    "SpecError",
    "UsageError",
    "__version__",
    "analyze",
]

_HOMES = {
    "analyze": "api",
    "BindingError": "errors",
    "ComplexityError": "errors",
    "ModelError": "errors",
    "QuantizationError": "errors",
    "SpecError": "errors",
    "UsageError": "errors",
    "Report": "report",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from .version import VERSION

        return VERSION
    if name not in _HOMES:
        raise AttributeError(f"module 'nncomplexity' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
