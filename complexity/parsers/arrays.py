"""Weights as numpy arrays, mapped from where they lie; numpy is imported on the first call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..element_types import ElementType
from ..errors import ModelError
from .small_floats import SMALL_FLOATS, small_float_values
from .stored import Bytes, Numbers, StoredTensor, check_entries, payload
from .values import packed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["array"]

NUMPY_NAMES = {"bool": "bool", "float16": "<f2", "float32": "<f4", "float64": "<f8", "complex64": "<c8"}
NUMPY_NAMES |= {"complex128": "<c16", "int8": "i1", "uint8": "u1"}
NUMPY_NAMES |= {f"{sign}int{bits}": f"<{sign or 'i'}{bits // 8}" for sign in ("", "u") for bits in (16, 32, 64)}
ML_NAMES = {
    "bfloat16": "bfloat16",
    "float8e4m3fn": "float8_e4m3fn",
    "float8e4m3fnuz": "float8_e4m3fnuz",
    "float8e5m2": "float8_e5m2",
    "float8e5m2fnuz": "float8_e5m2fnuz",
    "float8e8m0": "float8_e8m0fnu",
    "float6e2m3": "float6_e2m3fn",
    "float6e3m2": "float6_e3m2fn",
    "float4e2m1": "float4_e2m1fn",
}


def array(tensor: StoredTensor) -> NDArray[np.generic]:
    """The tensor as a read-only array where possible without a copy. Raises ModelError if it cannot be read.

    4- and 2-bit integers become int8 or uint8; bfloat16 and smaller floats become ml_dtypes, or float32 where
    ml_dtypes lacks them; strings become an object array of bytes.
    """
    import numpy as np

    place, kind = payload(tensor), tensor.element_type
    if kind.name == "string" and isinstance(place, Numbers):
        strings = np.empty(len(place.entries), dtype=object)
        strings[:] = list(place.entries)
        return strings.reshape(tensor.shape)
    if isinstance(place, Numbers):
        data: bytes | memoryview = packed(kind, place.entries)
    elif place.field in ("raw_data", "float_data", "double_data"):
        data = place.data
    else:
        data = _from_varints(tensor, place)
    try:
        return _typed(kind, data, tensor.elements).reshape(tensor.shape)
    except ValueError as error:  # a shape of zeros and huge sizes
        raise ModelError("E-TENSOR-SHAPE", f"the shape {list(tensor.shape)} is no array shape: {error}") from None


def _typed(kind: ElementType, data: bytes | memoryview, elements: int) -> NDArray[np.generic]:
    import numpy as np

    if kind.name in NUMPY_NAMES:
        return np.frombuffer(data, dtype=NUMPY_NAMES[kind.name])
    if kind.name == "bfloat16":
        wide = np.frombuffer(data, dtype="<u2")
        target = _ml_dtype(kind.name)
        return (wide.astype("<u4") << 16).view("<f4") if target is None else wide.view(target)
    codes = np.frombuffer(data, dtype=np.uint8)
    if kind.bits < 8:
        codes = _unpacked(codes, kind.bits, elements)
    if kind.name in SMALL_FLOATS:
        target = _ml_dtype(kind.name)
        return np.array(small_float_values(kind.name), dtype="<f4")[codes] if target is None else codes.view(target)
    if kind.name.startswith("uint"):
        return codes
    sign = 1 << (kind.bits - 1)
    return (codes.astype(np.int8) ^ sign) - np.int8(sign)


def _unpacked(data: NDArray[np.uint8], bits: int, elements: int) -> NDArray[np.uint8]:
    """One code per byte from a bit stream, least significant bits first."""
    import numpy as np

    lanes = 4 if bits == 6 else 8 // bits
    span = lanes * bits // 8
    groups = np.zeros((-(-elements // lanes), span), dtype=np.uint8)
    groups.reshape(-1)[: data.size] = data
    codes = np.empty((groups.shape[0], lanes), dtype=np.uint8)
    for lane in range(lanes):
        first, shift = divmod(lane * bits, 8)
        codes[:, lane] = groups[:, first] >> shift
        if shift + bits > 8:
            codes[:, lane] |= groups[:, first + 1] << (8 - shift)
    codes &= (1 << bits) - 1
    return codes.reshape(-1)[:elements]


def _from_varints(tensor: StoredTensor, place: Bytes) -> bytes:
    """The layout of raw_data from a cut list of packed numbers."""
    import numpy as np

    kind, source = tensor.element_type, np.frombuffer(place.data, dtype=np.uint8)
    ends = np.flatnonzero(source < 0x80)
    check_entries(len(ends), tensor)
    starts = np.concatenate((np.zeros(1, dtype=ends.dtype), ends[:-1] + 1))[: len(ends)]
    lengths = ends - starts + 1
    if len(ends) == 0 or ends[-1] != len(source) - 1 or lengths.max() > 10:
        raise ModelError("E-TENSOR-DATA", "the packed numbers of the tensor are malformed")
    numbers = np.zeros(len(ends), dtype=np.uint64)
    for index in range(int(lengths.max())):
        reaching = lengths > index
        numbers[reaching] |= (source[starts[reaching] + index] & np.uint64(0x7F)) << np.uint64(7 * index)
    if kind.bits == 6:
        return packed(kind, numbers.tolist())
    return numbers.astype(f"<u{max(kind.bits, 8) // 8}").tobytes()


def _ml_dtype(name: str) -> np.dtype[np.generic] | None:
    import numpy as np

    try:
        import ml_dtypes
    except ImportError:
        return None
    found = getattr(ml_dtypes, ML_NAMES[name], None)
    return None if found is None else np.dtype(found)
