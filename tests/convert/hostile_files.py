"""Weight files that are hostile or broken, made here byte by byte; ``corpus`` gives them all."""

import io
import itertools
import json
import pickle
import struct
import zipfile

import numpy as np
import torch

SEED = 20260101
GOOD = {"G": {"a.weight": torch.arange(300.0).reshape(10, 30), "a.bias": torch.ones(10)}, "epoch": 3}


def saved(zipped: bool) -> bytes:
    stream = io.BytesIO()
    torch.save(GOOD, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def in_zip(pickled: bytes, changed: dict[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED) -> bytes:
    parts = {"data.pkl": pickled, "version": b"3\n", "data/0": bytes(64)} | (changed or {})
    return zip_of([(f"archive/{name}", content) for name, content in parts.items()], compression)


def zip_of(parts: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return stream.getvalue()


def in_legacy(pickled: bytes) -> bytes:
    head = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}})
    storages = pickle.dumps(["0"], 2) + struct.pack("<q", 16) + bytes(64)
    return b"".join(pickle.dumps(part, 2) for part in head) + pickled + storages


CONTAINERS = {"zip": in_zip, "legacy": in_legacy}

# Each runs `canary` if a real unpickler reads it: see test_the_payloads_are_live.
COMMAND = "touch canary"
CALLS = [
    ("os", "system", COMMAND),
    ("posix", "system", COMMAND),
    ("subprocess", "getoutput", COMMAND),
    ("builtins", "eval", "open('canary', 'w').close()"),
    ("builtins", "exec", "open('canary', 'w').close()"),
    ("os", "mkdir", "canary"),
    ("__builtin__", "eval", "open('canary', 'w').close()"),
    ("os", "popen", COMMAND),
    ("commands", "getoutput", COMMAND),
    ("nt", "system", COMMAND),
    ("builtins", "__import__", "canary"),
    ("importlib", "import_module", "canary"),
    ("runpy", "run_path", "canary.py"),
    ("shutil", "rmtree", "/nowhere"),
    ("ctypes", "CDLL", "canary.so"),
    ("webbrowser", "open", "canary"),
    ("socket", "create_connection", "canary"),
    ("pickle", "loads", "canary"),
    ("numpy", "load", "canary.npy"),
    ("numpy.testing._private.utils", "runstring", "open('canary', 'w')"),
    ("torch", "load", "canary.pth"),
    ("torch.serialization", "load", "canary.pth"),
    ("torch.hub", "load", "canary"),
    ("torch.storage", "_load_from_bytes", "canary"),
    ("torch.jit", "load", "canary"),
    ("torch._tensor", "_rebuild_from_type_v2", "canary"),
    ("torch._utils", "_rebuild_wrapper_subclass", "canary"),
    ("torch._utils", "os.system", COMMAND),
    ("collections", "OrderedDict.fromkeys", "canary"),
    ("collections", "_sys.modules", "canary"),
    ("torch", "FloatStorage.from_file", "canary"),
    ("copyreg", "_reconstructor", "canary"),
    ("functools", "partial", "canary"),
    ("operator", "attrgetter", "canary"),
    ("builtins", "getattr", "canary"),
    ("argparse", "Namespace", "canary"),
]


def payloads(module: str, name: str, text: str) -> dict[str, bytes]:
    """One call, in the ways that a pickle can make it."""
    line, encoded = f"{module}\n{name}\n".encode(), text.encode()
    string = b"X" + struct.pack("<I", len(encoded)) + encoded
    short = [b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name)]
    return {
        "GLOBAL": b"\x80\x02c" + line + string + b"\x85R.",
        "STACK_GLOBAL": b"\x80\x04" + short[0] + short[1] + b"\x93" + string + b"\x85R.",
        "INST": b"\x80\x02(" + string + b"i" + line + b".",
        "OBJ": b"\x80\x02(c" + line + string + b"o.",
        "nested": b"\x80\x02}X\x01\x00\x00\x00a(c" + line + string + b"\x85RK\x01e\x85s.",
    }


def tensor(
    offset=b"K\x00", shape=b"K\x04\x85", stride=b"K\x01\x85", *, kind=b"FloatStorage", key="0", numel=16, rest=b""
):
    """The pickle of a tensor over the storage of 16 float32 that both containers hold."""
    name = key.encode()
    storage = (
        b"(X\x07\x00\x00\x00storagectorch\n" + kind + b"\nX" + struct.pack("<I", len(name)) + name
        + b"X\x03\x00\x00\x00cpu\x8a\x09" + numel.to_bytes(9, "little", signed=True) + b"tQ"
    )  # fmt: skip
    arguments = b"(" + storage + offset + shape + stride + b"\x89ccollections\nOrderedDict\n)R" + rest + b"t"
    return b"\x80\x02}X\x01\x00\x00\x00xctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"Rs."


def integer(value: int) -> bytes:
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def laughs() -> bytes:
    """Lists of ten times the same list, twelve deep: 10 ** 12 parts in 300 bytes."""
    levels = b"".join(b"]q" + bytes([level + 1]) + b"(" + (b"h" + bytes([level])) * 10 + b"e" for level in range(12))
    return b"\x80\x02(]q\x00" + levels + b"t."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def numpy_state(order: str = "<", fields: bytes = b"NNN", size: int = -1) -> bytes:
    return b"(K\x03" + text(order) + fields + 2 * (b"J" + struct.pack("<i", size)) + b"K\x00t"


def numpy_number(code: bytes = text("f8"), state: bytes = numpy_state(), data: bytes = b"C\x08" + bytes(8)) -> bytes:  # noqa: B008
    scalar = b"\x80\x04cnumpy._core.multiarray\nscalar\n"
    return scalar + b"cnumpy\ndtype\n" + code + b"\x89\x88\x87R" + state + b"b" + data + b"\x86R."


def broken_pickles() -> dict[str, bytes]:
    nested_tuple = b"\x80\x02)" + b"2\x86" * 200 + b"K\x01" + b"\x86."
    tuple_key = b"\x80\x02})" + b"2\x86" * 60 + b"K\x01s."
    table = b"(" + b"".join(b"M" + struct.pack("<H", number) + b"N" for number in range(2000)) + b"u"
    wide = tensor(shape=integer(1 << 20) + b"\x85", stride=b"K\x00\x85")
    copies = b"\x80\x02}q\x00" + table + b"ccollections\nOrderedDict\nq\x01(" + b"h\x01h\x00\x85R" * 5000 + b"t."
    return {
        "hooks that call": tensor(rest=b"cos\nsystem\nX\x0c\x00\x00\x00touch canary\x85R"),
        "build on a function": b"\x80\x02ccollections\nOrderedDict\n}X\x01\x00\x00\x00aK\x01sb.",
        "build with slots": b"\x80\x02}N}\x86b.",
        "call of a call": b"\x80\x02ccollections\nOrderedDict\n)R)R.",
        "call of a string": b"\x80\x02X\x02\x00\x00\x00os)R.",
        "call with a list": b"\x80\x02ccollections\nOrderedDict\n]R.",
        "new with keywords": b"\x80\x04ccollections\nOrderedDict\n)}\x92.",
        "a function as value": b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor\ns.",
        "global by list": b"\x80\x04]]\x93.",
        "extension registry": b"\x80\x02\x82\x01.",
        "out of band buffer": b"\x80\x05\x97.",
        "bytearray": b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x00.",
        "text persistent id": b"\x80\x02Pstorage\n.",
        "persistent id of a number": b"\x80\x02K\x01Q.",
        "persistent id of a call": b"\x80\x02X\x07\x00\x00\x00storagecos\nsystem\n\x86Q.",
        "huge long": b"\x80\x02\x8b\xff\xff\xff\x7f" + bytes(20) + b".",
        "negative long": b"\x80\x02\x8b\xff\xff\xff\xff" + bytes(20) + b".",
        "long integer": b"\x80\x02\x8b\x00\x10\x00\x00" + b"\x7f" * 4096 + b".",
        "decimal of many digits": b"\x80\x02I" + b"9" * 30_000 + b"\n.",
        "decimal of 4000 digits": b"\x80\x02L" + b"9" * 4000 + b"L\n.",
        "huge bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b".",
        "huge bytes 32": b"\x80\x04B\xff\xff\xff\xff.",
        "huge text": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b".",
        "overflowing text": b"\x80\x04\x8d" + b"\xff" * 8 + b".",
        "huge memo index": b"\x80\x02Nr\xff\xff\xff\x7fj\xff\xff\xff\x7e.",
        "empty memo": b"\x80\x02h\x00.",
        "memo bomb": b"\x80\x04N" + b"\x94" * 30_000 + b".",
        "set bomb": b"\x80\x04(" + b"\x8f" * 30_000 + b"t.",
        "dict bomb": b"\x80\x04(" + b"}" * 30_000 + b"u.",
        "mark bomb": b"\x80\x04" + b"(" * 30_000 + b".",
        "copy bomb": copies,
        "deep lists": b"\x80\x02" + b"]" * 5_000 + b"a" * 4_999 + b".",
        "deep tuples": b"\x80\x02)" + b"\x85" * 5_000 + b".",
        "many laughs": laughs(),
        "doubled tuples": nested_tuple,
        "doubled tuples as key": tuple_key,
        "list in itself": b"\x80\x02]q\x00h\x00a.",
        "dict in itself": b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",
        "list as key": b"\x80\x02}]K\x01s.",
        "key twice": b"\x80\x02}(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00aK\x02u.",
        "key without value": b"\x80\x02}(K\x01u.",
        "colliding integers": b"\x80\x02}(" + integer((1 << 61) - 1) + b"N" + integer(1 << 62) + b"Nu.",
        "append to a dict": b"\x80\x02}K\x01a.",
        "item of a list": b"\x80\x02]K\x01K\x02s.",
        "two values": b"\x80\x02K\x01K\x02.",
        "empty stack": b"\x80\x02.",
        "mark left over": b"\x80\x02N(.",
        "pop across a mark": b"\x80\x02K\x01(R.",
        "no mark": b"\x80\x02e.",
        "no stop": b"\x80\x02}",
        "unknown opcode": b"\x80\x02\xfe.",
        "bad utf-8": b"\x80\x02X\x02\x00\x00\x00\xff\xff.",
        "bytes of odd encoding": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00rot\x86R.",
        "offset beyond": tensor(integer(13)),
        "offset below": tensor(integer(-1)),
        "offset far beyond": tensor(integer(1 << 62)),
        "offset of text": tensor(b"X\x01\x00\x00\x00a"),
        "shape beyond": tensor(shape=b"K\x11\x85"),
        "negative shape": tensor(shape=integer(-4) + b"\x85"),
        "shape of floats": tensor(shape=b"G" + struct.pack(">d", 4.0) + b"\x85"),
        "shape of booleans": tensor(shape=b"\x88\x85"),
        "shape of text": tensor(shape=b"X\x01\x00\x00\x004"),
        "overflowing shape": tensor(shape=integer(1 << 33) + integer(1 << 33) + b"\x86", stride=b"K\x01K\x01\x86"),
        "nothing, of a huge side": tensor(shape=b"K\x00" + integer(1 << 69) + b"\x86", stride=b"K\x01K\x01\x86"),
        "nothing, of a large side": tensor(shape=b"K\x00" + integer(1 << 62) + b"\x86", stride=b"K\x01K\x01\x86"),
        "terabyte by strides": tensor(shape=integer(1 << 40) + b"\x85", stride=b"K\x00\x85"),
        "exabyte by strides": tensor(shape=integer(1 << 60) + integer(1 << 60) + b"\x86", stride=b"K\x00K\x00\x86"),
        "one tensor many times": b"\x80\x02]q\x01("
        + wide[wide.index(b"ctorch") : -2]
        + b"q\x02"
        + b"h\x02" * 99
        + b"e.",
        "call of a storage type": b"\x80\x02ctorch\nFloatStorage\n)R.",
        "storage type as value": b"\x80\x02ctorch\nFloatStorage\n.",
        "huge empty": tensor(shape=b"K\x00" + integer(1 << 62) + b"\x86", stride=b"K\x01K\x01\x86"),
        "stride beyond": tensor(stride=integer(6) + b"\x85"),
        "negative stride": tensor(integer(8), stride=integer(-1) + b"\x85"),
        "fewer strides": tensor(shape=b"K\x02K\x02\x86"),
        "hundred dimensions": tensor(shape=b"(" + b"K\x01" * 100 + b"t", stride=b"(" + b"K\x01" * 100 + b"t"),
        "too large storage": tensor(numel=17),
        "too small storage": tensor(numel=15),
        "huge storage": tensor(numel=1 << 60),
        "negative storage": tensor(numel=-16),
        "storage of another type": tensor(kind=b"DoubleStorage"),
        "storage of unknown type": tensor(kind=b"QInt8Storage"),
        "storage of a function": tensor(kind=b"Size"),
        "absent storage": tensor(key="1"),
        "storage by path": tensor(key="../../../../etc/passwd"),
        "storage by absolute path": tensor(key="/etc/passwd"),
        "tensor of nothing": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        "numpy object": numpy_number(text("O8")),
        "numpy record": numpy_number(text("f4,f4")),
        "numpy text of a gigabyte": numpy_number(text("U1000000000")),
        "numpy type of a tuple": numpy_number(b"K\x01K\x02\x86"),
        "numpy type of a function": numpy_number(b"cos\nsystem\n"),
        "numpy fields": numpy_number(state=numpy_state(fields=b"N}}")),
        "numpy size": numpy_number(state=numpy_state(size=1 << 30)),
        "numpy big endian": numpy_number(state=numpy_state(">")),
        "numpy state of text": numpy_number(state=text("<")),
        "numpy number too short": numpy_number(data=b"C\x01a"),
        "numpy number too long": numpy_number(data=b"C\x09123456789"),
        "numpy number of text": numpy_number(data=text("12345678")),
        "numpy number without a type": b"\x80\x03cnumpy.core.multiarray\nscalar\n" + text("f8") + b"C\x01a\x86R.",
        "numpy type itself called": b"\x80\x02cnumpy\ndtype\n)R)R.",
        "parameter of text": b"\x80\x02ctorch._utils\n_rebuild_parameter\nX\x01\x00\x00\x00a\x89N\x87R.",
    }


def broken_zips() -> dict[str, bytes]:
    good, pickled = saved(True), tensor()
    parts = [("archive/data.pkl", pickled), ("archive/data/0", bytes(64))]
    plain = zip_of(parts)
    center = plain.index(b"PK\1\2")
    end = plain.rindex(b"PK\5\6")

    def patched(position: int, value: bytes) -> bytes:
        return plain[:position] + value + plain[position + len(value) :]

    tricks = (
        "../evil",
        "/evil",
        "archive/../evil",
        "archive//evil",
        "archive\\evil",
        "archive/./evil",
        "C:\\evil",
        "dir/",
    )
    files = {f"path {name}": zip_of([*parts, (name, b"x")]) for name in tricks}
    renamed = zip_of([*parts, ("archive/data/1", bytes(64))])
    files |= {
        "storage twice": renamed.replace(b"archive/data/1", b"archive/data/0"),
        "pickle twice": zip_of([*parts, ("archive/data.pkx", b"N.")]).replace(b"data.pkx", b"data.pkl"),
        "NUL in a name": renamed.replace(b"archive/data/1", b"archive/data\0x"),
        "second name in the local header": renamed.replace(b"archive/data/1", b"archive/data/2", 1),
        "two roots": zip_of([*parts, ("other/data.pkl", b"N.")]),
        "no pickle": zip_of([("archive/data/0", bytes(64))]),
        "pickle far below": zip_of([("a/b/c/data.pkl", pickled)]),
        "TorchScript": zip_of([*parts, ("archive/constants.pkl", b"\x80\x02).")]),
        "big endian": zip_of([*parts, ("archive/byteorder", b"big")]),
        "deflated": in_zip(pickled, compression=zipfile.ZIP_DEFLATED),
        "deflate bomb": in_zip(pickled, {"data/0": bytes(20_000_000)}, zipfile.ZIP_DEFLATED),
        "bzip2 bomb": in_zip(pickled, {"data/0": bytes(2_000_000)}, zipfile.ZIP_BZIP2),
        "lzma": in_zip(pickled, compression=zipfile.ZIP_LZMA),
        "encrypted": patched(center + 8, b"\x01\x00"),
        "wrong checksum": patched(center + 16, b"\0\0\0\0"),
        "damaged pickle": plain.replace(b"_rebuild_tensor_v2", b"_rebuild_tensor_v3", 1),
        "huge part": patched(center + 20, b"\xff\xff\xff\x7f" * 2),
        "huge 64-bit part": patched(center + 20, b"\xff\xff\xff\xff" * 2),
        "part far away": patched(center + 42, b"\xf0\xff\xff\x7f"),
        "overlapping parts": patched(plain.index(b"PK\1\2", center + 1) + 42, bytes(4)),
        "huge local header": patched(26, b"\xff\xff\xff\xff"),
        "no local header": patched(0, b"PK\3\4")[:4] + bytes(4) + plain[8:26] + b"\0\0" + plain[28:],
        "directory far away": patched(end + 16, b"\xff\xff\xff\x7f"),
        "huge directory": patched(end + 12, b"\xff\xff\xff\x7f"),
        "many entries": patched(end + 8, b"\xff\xfe\xff\xfe")[: end - 40] + plain[end:],
        "no directory": plain[:center],
        "made by a later zip": patched(center + 6, b"\xff"),
        "empty archive": b"PK\3\4" + b"PK\5\6" + bytes(18),
        "bytes after the pickle": in_zip(pickled + b"cos\nsystem\n."),
        "part cut short": in_zip(pickled, {"data/0": bytes(60)}),
        "npz": zip_of([("x.npy", b"\x93NUMPY\x01\x00")]),
        "second half": good[len(good) // 2 :],
    }
    return files


def broken_legacy() -> dict[str, bytes]:
    def legacy(magic=0x1950A86A20F9469CFC6C, protocol=1001, little=True, keys=("0",), numel=16, data=bytes(64)):
        head = (magic, protocol, {"little_endian": little})
        text = b"".join(pickle.dumps(part, 2) for part in head) + tensor() + pickle.dumps(keys, 2)
        return text + struct.pack("<q", numel) + data

    return {
        "wrong magic": legacy(magic=7),
        "wrong protocol": legacy(protocol=1000),
        "big endian": legacy(little=False),
        "no system": legacy(little=None),
        "keys of a tuple": legacy(keys=("0",)),
        "keys of numbers": legacy(keys=[1.0]),
        "storage twice": legacy(keys=["0", "0"]),
        "unknown storage": legacy(keys=["0", "1"]),
        "no storage": legacy(keys=[]),
        "huge storage": legacy(keys=["0"], numel=1 << 60),
        "negative storage": legacy(keys=["0"], numel=-1),
        "small storage": legacy(keys=["0"], numel=15),
        "bytes after the end": legacy(keys=["0"], data=bytes(65)),
        "plain pickle": pickle.dumps({"a": 1}),
        "pickle of arrays": pickle.dumps({"a": np.zeros(3)}),
        "system that calls": pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
        + payloads("os", "system", COMMAND)["GLOBAL"],
        "magic that calls": payloads("os", "system", COMMAND)["STACK_GLOBAL"],
    }  # fmt: skip


def safetensors(header: object, data: bytes = bytes(16), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def broken_safetensors() -> dict[str, bytes]:
    def one(**change):
        return safetensors({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} | change})

    entry = b'"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}'
    return {
        "huge header": safetensors({}, length=1 << 62),
        "header beyond the file": safetensors({}, length=100),
        "empty header": safetensors(b"", b""),
        "no json": safetensors(b"{hello}"),
        "deep json": safetensors(b'{"a":' * 20_000, b""),
        "list for a header": safetensors(b"[1,2,3]"),
        "tensor beyond the file": one(shape=[8], data_offsets=[0, 32]),
        "huge tensor": one(shape=[1 << 60], data_offsets=[0, 1 << 62]),
        "shape against offsets": one(shape=[3]),
        "overflowing shape": one(shape=[1 << 40, 1 << 40]),
        "negative shape": one(shape=[-4]),
        "offsets reversed": one(data_offsets=[16, 0]),
        "negative offsets": one(data_offsets=[-16, 0]),
        "unknown type": one(dtype="F33"),
        "no shape": safetensors({"a": {"dtype": "F32", "data_offsets": [0, 16]}}),
        "key twice": safetensors(b"{" + entry + b"," + entry + b"}"),
        "hole": one(shape=[2], data_offsets=[8, 16]),
        "bytes after the end": one(shape=[2], data_offsets=[0, 8]),
    }


def no_weights() -> dict[str, bytes]:
    random = np.random.default_rng(SEED)
    page = b"<!DOCTYPE html><html><body>Quota exceeded</body></html>"
    return {
        "text": b"these are my weights\n" * 100,
        "page": page,
        "page of nulls": bytes(1000),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "gzip": b"\x1f\x8b\x08" + bytes(100),
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "npy": b"\x93NUMPY\x01\x00" + bytes(100),
        "json": b'{"a": 1}',
        "git lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
        "tar": bytes(257) + b"ustar\x0000" + bytes(300),
        "one byte": b"\x80",
        "two bytes": b"PK",
        **{f"noise {index}": random.bytes(int(random.integers(1, 4000))) for index in range(10)},
        **{
            f"noise after {head!r}": head + random.bytes(2000)
            for head in (b"PK\3\4", b"\x80\x02", b"\x80\x04", b"PK\5\6")
        },
    }


def corpus() -> dict[str, tuple[str, bytes]]:
    """Name -> (suffix, content) of files that must all be refused."""
    files: dict[str, tuple[str, bytes]] = {}
    for (kind, pack), (module, name, text) in itertools.product(CONTAINERS.items(), CALLS):
        for way, pickled in payloads(module, name, text).items():
            files[f"{kind}: {way} of {module}.{name}"] = ".pth", pack(pickled)
    for (kind, pack), (name, pickled) in itertools.product(CONTAINERS.items(), broken_pickles().items()):
        files[f"{kind}: {name}"] = ".pth", pack(pickled)
    groups = {"zip": broken_zips(), "legacy": broken_legacy(), "no weights": no_weights()}
    for group, members in groups.items():
        files |= {f"{group} file: {name}": (".pth", content) for name, content in members.items()}
    tables = broken_safetensors() | no_weights()
    files |= {f"safetensors: {name}": (".safetensors", content) for name, content in tables.items()}
    table = safetensors({"a": {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4000]}}, bytes(4000))
    for percent in range(0, 100, 5):
        for suffix, whole in ((".pth", saved(True)), (".pt", saved(False)), (".safetensors", table)):
            files[f"{suffix} cut at {percent} %"] = suffix, whole[: len(whole) * percent // 100]
    return files
