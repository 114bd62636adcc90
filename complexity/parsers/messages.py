"""ONNX's own protobuf classes, loaded without the rest of the onnx package."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["decode_error", "is_model", "messages", "model_class", "parse_model"]

NAME = "onnx.onnx_ml_pb2"


@cache
def messages() -> ModuleType:
    """The generated module `onnx.onnx_ml_pb2`: ModelProto, GraphProto, NodeProto, TensorProto and their kin.

    `import onnx` costs about 0.3 s of CPU (numpy, ml_dtypes, the C++ checker), this one module 0.04 s. It is
    registered under its own name, so a later `import onnx` finds it and shares its classes.
    """
    known = sys.modules.get(NAME)
    return known if known is not None else _by_location() or _by_import()


def _by_location() -> ModuleType | None:
    package = find_spec("onnx")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder, "onnx_ml_pb2.py")
        spec = spec_from_file_location(NAME, path) if path.is_file() else None
        if spec is None or spec.loader is None:
            continue
        module = module_from_spec(spec)
        sys.modules[NAME] = module
        try:
            spec.loader.exec_module(module)
        except (
            ImportError,
            AttributeError,
            TypeError,
        ):  # a layout this shortcut does not know: the plain import has the last word
            del sys.modules[NAME]
            return None
        return module
    return None


def _by_import() -> ModuleType:
    from onnx import onnx_ml_pb2

    return onnx_ml_pb2


def model_class() -> type[ModelProto]:
    """The class ModelProto."""
    return cast("type[ModelProto]", messages().ModelProto)


def is_model(value: object) -> bool:
    """Whether a value is a ModelProto, asked without loading the classes if nobody has."""
    return NAME in sys.modules and isinstance(value, model_class())


def parse_model(data: bytes) -> ModelProto:
    """Parse bytes as a ModelProto. Raises google.protobuf.message.DecodeError."""
    model = model_class()()
    model.ParseFromString(data)
    return model


def decode_error() -> type[Exception]:
    """The exception of a message that protobuf cannot parse."""
    return cast("type[Exception]", import_module("google.protobuf.message").DecodeError)
