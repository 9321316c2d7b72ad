"""What a pickle of ``torch.save`` may refer to: stand-ins for tensors, and builders for the globals that it names.

A global of the file is never imported. It is looked up here by its full name, and what it gets are these functions.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np


class UnreadableFile(ValueError):
    """A weight file that cannot be read, or must not be: one line with the cause and the remedy."""


class Storage(NamedTuple):
    """A reference to raw bytes elsewhere in the file: ``numel`` elements of ``dtype`` under the name ``key``."""

    dtype: str
    key: str
    numel: int


class Tensor(NamedTuple):
    """A strided view of a storage, not checked and not built yet; offset and strides count elements."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Dtype(NamedTuple):
    """torch.float32 and its like, as a value."""

    name: str


class NumpyDtype(NamedTuple):
    """A numpy.dtype of plain numbers, as numpy's pickles name it: ``f8``."""

    code: str


class StorageType(NamedTuple):
    """torch.FloatStorage and its like: only ever named in a reference to a storage."""

    name: str


class Builder(NamedTuple):
    """What stands for a callable global: its full name, and our function of its arguments, already checked by it."""

    name: str
    build: Callable[..., Any]


def shown(value: Any) -> str:
    """A value out of a file, fit for one line of an error message."""
    text = value if isinstance(value, str) else type(value).__name__
    return ascii(text[:80]) if isinstance(value, str) else text


def integers(value: Any) -> tuple[int, ...]:
    """A tuple or list of non-negative integers, or an error; booleans are none."""
    if not isinstance(value, (tuple, list)) or not all(type(number) is int and number >= 0 for number in value):
        raise UnreadableFile("a tensor's shape or strides are not non-negative integers; the file is damaged")
    return tuple(value)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any, dtype: str | None = None) -> Tensor:
    if not isinstance(storage, Storage) or type(offset) is not int or offset < 0:
        raise UnreadableFile("a tensor lacks its storage or offset; the file is damaged")
    if len(rest) > 2 and rest[2]:  # (requires_grad, hooks, metadata)
        raise UnreadableFile("a tensor is lazily conjugated or negated; save .resolve_conj().resolve_neg() of it")
    if dtype is None and storage.dtype == "raw":
        raise UnreadableFile("a tensor has no data type; the file is damaged")
    return Tensor(storage, dtype or storage.dtype, offset, integers(shape), integers(strides))


def _tensor_v3(storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, *rest: Any):
    if not isinstance(dtype, Dtype):
        raise UnreadableFile("a tensor has no data type; the file is damaged")
    return _tensor(storage, offset, shape, strides, grad, hooks, *rest, dtype=dtype.name)


def _parameter(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise UnreadableFile("a parameter holds no tensor; the file is damaged")
    return data


def _dict(*pairs: Any) -> dict:
    if not pairs:
        return {}
    (items,) = pairs
    filled: dict = {}
    for key, value in items.items() if isinstance(items, dict) else _list(items):
        put(filled, key, value)
    return filled


def _set(kind: type) -> Callable[..., set | frozenset]:
    return lambda items=(): kind(checked_key(item) for item in _list(items))


def _list(items: Any) -> list | tuple:
    if not isinstance(items, (list, tuple)):
        raise UnreadableFile(f"expected a list, found {shown(items)}; the file is damaged")
    return items


def _bytes(text: Any, encoding: Any) -> bytes:  # how protocol 2 writes bytes
    if not isinstance(text, str) or encoding != "latin1":
        raise UnreadableFile("_codecs.encode is only known for latin1; the file is damaged")
    return text.encode("latin1")


def _complex(real: Any, imaginary: Any) -> complex:
    if type(real) is not float or type(imaginary) is not float:
        raise UnreadableFile("a complex number has parts that are no numbers; the file is damaged")
    return complex(real, imaginary)


def _numpy_dtype(code: Any, align: Any = False, copy: Any = True) -> NumpyDtype:
    if not isinstance(code, str) or code not in _NUMPY_DTYPES:
        raise UnreadableFile(f"it has numpy values of the type {shown(code)}; save plain numbers")
    return NumpyDtype(code)


def _numpy_scalar(dtype: Any, data: Any = b"") -> int | float | bool:
    """The plain number that a numpy scalar is: a metric or an optimiser's value."""
    if not isinstance(dtype, NumpyDtype) or not isinstance(data, bytes):
        raise UnreadableFile("a numpy number has no type or value; the file is damaged")
    kind = np.dtype(dtype.code).newbyteorder("<")
    if len(data) != kind.itemsize:
        raise UnreadableFile(f"a numpy number of {kind.itemsize} bytes has {len(data)}; the file is damaged")
    return np.frombuffer(data, kind)[0].item()


def check_numpy_state(state: Any) -> None:
    """Checks what a pickle sets on a numpy dtype: version, byte order, then nothing that a plain number's has."""
    plain = isinstance(state, tuple) and state in ((3, "<", *_PLAIN_STATE), (3, "|", *_PLAIN_STATE))
    if not plain or any(isinstance(part, bool) for part in state):
        raise UnreadableFile("it has numpy values that are no plain little-endian numbers; save plain numbers")


def _device(kind: Any, index: Any = None) -> str:
    if not isinstance(kind, str) or not (index is None or type(index) is int):
        raise UnreadableFile("a torch.device has no name; the file is damaged")
    return kind if index is None else f"{kind}:{index}"


def checked_key(key: Any) -> str | int | bytes | None:
    """Checks a key of a dict or an element of a set.

    Tuples are out because hashing nested ones takes exponential time, floats and long integers because their hashes
    can be chosen to collide.
    """
    if isinstance(key, (str, bytes)) or key is None or (isinstance(key, int) and abs(key) < 1 << 60):
        return key
    raise UnreadableFile(
        f"a dict key or set element is a {shown(key)}, not a string or small integer; save only tensors"
    )


def put(target: dict, key: Any, value: Any) -> None:
    """Adds an entry to a dict; a key that is there already is an error."""
    if checked_key(key) in target:
        raise UnreadableFile(f"the key {shown(str(key))} comes twice in one dict; the file is damaged or forged")
    target[key] = value


_STORAGES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "ByteStorage": "uint8", "CharStorage": "int8", "ShortStorage": "int16", "IntStorage": "int32",
    "LongStorage": "int64", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "UntypedStorage": "raw",
}  # fmt: skip
_DTYPES = {
    "float": "float32", "double": "float64", "half": "float16", "uint8": "uint8", "int8": "int8", "int16": "int16",
    "int32": "int32", "int64": "int64", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64", "bool": "bool",
    "float16": "float16", "float32": "float32", "float64": "float64", "bfloat16": "bfloat16",
    "complex64": "complex64", "complex128": "complex128", "float8_e4m3fn": "float8_e4m3fn",
    "float8_e5m2": "float8_e5m2", "float8_e4m3fnuz": "float8_e4m3fnuz", "float8_e5m2fnuz": "float8_e5m2fnuz",
}  # fmt: skip
_NUMPY_DTYPES = frozenset(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"))
_PLAIN_STATE = (None, None, None, -1, -1, 0)
_BUILDERS: Mapping[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.Size": integers,
    "torch.device": _device,
    "numpy.dtype": _numpy_dtype,
    "numpy._core.multiarray.scalar": _numpy_scalar,
    "numpy.core.multiarray.scalar": _numpy_scalar,  # before numpy 2
    "collections.OrderedDict": _dict,
    "collections.Counter": _dict,  # of MultiStepLR
    "_codecs.encode": _bytes,
    **{f"{module}.bytes": lambda: b"" for module in ("builtins", "__builtin__")},  # how protocol 2 writes empty ones
    **{f"{module}.set": _set(set) for module in ("builtins", "__builtin__")},
    **{f"{module}.frozenset": _set(frozenset) for module in ("builtins", "__builtin__")},
    **{f"{module}.complex": _complex for module in ("builtins", "__builtin__")},
}
GLOBALS: Mapping[str, Builder | StorageType | Dtype] = {
    **{name: Builder(name, build) for name, build in _BUILDERS.items()},
    **{f"torch.{name}": StorageType(name) for name in _STORAGES},
    "torch.storage.UntypedStorage": StorageType("UntypedStorage"),
    **{f"torch.{name}": Dtype(dtype) for name, dtype in _DTYPES.items()},
}


def refusal(module: str, name: str) -> UnreadableFile:
    """The error for a global that is not in the table."""
    return UnreadableFile(
        f"it asks for {shown(f'{module}.{name}')}, which is not plain weights and was not run; "
        "get the weights as a plain state dict (torch.save(model.state_dict(), ...)) or as .safetensors"
    )


def storage_reference(reference: Any) -> Storage:
    """Checks the persistent id that stands for a storage: ("storage", type, key, location, numel[, view])."""
    if not isinstance(reference, tuple) or len(reference) not in (5, 6) or reference[0] != "storage":
        raise UnreadableFile("it refers to something that is no storage; the file is damaged")
    _, kind, key, _, numel, *view = reference
    if not isinstance(kind, StorageType):
        raise UnreadableFile("a storage has no known type; the file is damaged")
    if not isinstance(key, (str, int)) or type(numel) is not int or numel < 0:
        raise UnreadableFile("a storage has no key or size; the file is damaged")
    if view and view[0] is not None:
        raise UnreadableFile("a storage is a view of another (PyTorch 0.3); save it again with a newer PyTorch")
    return Storage(_STORAGES[kind.name], str(key), numel)
