"""Reads the pickles that ``torch.save`` writes, without torch and without executing anything that is in them.

The standard library only cuts a pickle into opcodes (``pickletools.genops``, which runs nothing); what they mean is
written out here, for the few that plain containers and tensors need. There is no import, no attribute access, no call
of anything that the file names: a global is looked up in a table of builders of our own, or refused by name.

CPython's unpickler with a ``find_class`` of its own would keep foreign code out as well, but not foreign sizes: it
allocates for a declared size or memo index before it looks at the file. Here memory is bounded by the pickle's length.
"""

import pickletools
from typing import Any, BinaryIO

from a3gan_jax.convert.torch_globals import (
    GLOBALS,
    Builder,
    NumpyDtype,
    Storage,
    UnreadableFile,
    check_numpy_state,
    checked_key,
    put,
    refusal,
    shown,
    storage_reference,
)

MAX_PICKLE_BYTES = 8 << 20  # some 40,000 tensors; also bounds the time, at about two microseconds an opcode
MAX_INT_BYTES = 32  # longer integers only serve to make decimal conversion slow
MAX_DEPTH = 64
# Objects cost more than the opcodes that make them (a byte of pickle is a set of 216 bytes), so each is charged to an
# account that grows with the pickle read so far. Pickles of torch.save stay under 30 bytes charged for each byte read.
FREE_BYTES, BYTES_PER_BYTE = 1 << 20, 64
COST_OF_MEMO, COST_OF_CONTAINER, COST_OF_SET = 100, 64, 216


class _Machine:
    """The stack machine of one pickle. Marks are positions in the stack, kept in a list of their own."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.storages: list[Storage] = []
        self.read = 0  # bytes of the pickle so far
        self.spent = 0  # bytes that its objects cost so far

    def spend(self, cost: int) -> None:
        self.spent += cost
        if self.spent > FREE_BYTES + BYTES_PER_BYTE * self.read:
            raise UnreadableFile("its pickle would unpack to many times its size; the file is forged")

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise UnreadableFile("its pickle takes from an empty stack; the file is damaged")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        value = self.pop()
        self.stack.append(value)
        if type(value) is not kind:
            raise UnreadableFile(f"its pickle fills a {shown(value)} that is no container; the file is damaged")
        return value

    def since_mark(self) -> list[Any]:
        if not self.marks:
            raise UnreadableFile("its pickle lacks a mark; the file is damaged")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def push(self, value: Any, cost: int = 0) -> None:
        self.spend(cost)
        self.stack.append(value)

    def remember(self, index: Any) -> None:
        self.spend(COST_OF_MEMO)
        value = self.pop()
        self.push(value)
        self.memo[int(index)] = value

    def recall(self, index: Any) -> None:
        if int(index) not in self.memo:
            raise UnreadableFile("its pickle recalls what it never kept; the file is damaged")
        self.stack.append(self.memo[int(index)])

    def fill(self, target: dict, items: list[Any]) -> None:
        if len(items) % 2:
            raise UnreadableFile("its pickle has a key without a value; the file is damaged")
        for key, value in zip(items[::2], items[1::2], strict=True):
            put(target, key, value)

    def find(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise UnreadableFile("its pickle names a global by something that is no string; the file is forged")
        found = GLOBALS.get(f"{module}.{name}")
        if found is None:
            raise refusal(module, name)
        self.stack.append(found)

    def call(self, function: Any, arguments: Any) -> None:
        if not isinstance(function, Builder) or not isinstance(arguments, tuple):
            raise UnreadableFile(
                f"its pickle calls a {shown(function)}; nothing was run; the file is damaged or forged"
            )
        # A builder may copy what it gets, which a memo hands out for two bytes: the copy is paid for before it is made.
        copied = sum(len(argument) for argument in arguments if type(argument) in (list, tuple, dict, str, bytes))
        self.spend(COST_OF_SET + COST_OF_MEMO * copied)
        try:
            self.push(function.build(*arguments))
        except TypeError:
            raise UnreadableFile(f"it gives {function.name} arguments that do not fit; the file is damaged") from None

    def step(self, opcode: str, argument: Any) -> None:
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "NONE":
                self.push(None)
            case "NEWTRUE":
                self.push(True)
            case "NEWFALSE":
                self.push(False)
            case "INT" | "BININT" | "BININT1" | "BININT2" | "LONG" | "LONG1" | "LONG4":
                if argument.bit_length() > 8 * MAX_INT_BYTES:
                    raise UnreadableFile("an integer is too long; the file is damaged or forged")
                self.push(argument)
            case "FLOAT" | "BINFLOAT" | "UNICODE" | "SHORT_BINUNICODE" | "BINUNICODE" | "BINUNICODE8":
                self.push(argument)
            case "STRING" | "BINSTRING" | "SHORT_BINSTRING":  # strings of Python 2
                self.push(argument)
            case "SHORT_BINBYTES" | "BINBYTES" | "BINBYTES8":
                self.push(argument)
            case "MARK":
                if len(self.marks) >= MAX_DEPTH:
                    raise UnreadableFile(f"its pickle is nested deeper than {MAX_DEPTH}; the file is damaged or forged")
                self.marks.append(len(self.stack))
            case "EMPTY_LIST":
                self.push([], COST_OF_CONTAINER)
            case "EMPTY_DICT":
                self.push({}, COST_OF_CONTAINER)
            case "EMPTY_TUPLE":
                self.push(())
            case "EMPTY_SET":
                self.push(set(), COST_OF_SET)
            case "LIST":
                self.push(self.since_mark(), COST_OF_CONTAINER)
            case "TUPLE":
                self.push(tuple(self.since_mark()), COST_OF_CONTAINER)
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                items = [self.pop() for _ in range(int(opcode[-1]))]
                self.push(tuple(reversed(items)), COST_OF_CONTAINER)
            case "DICT":
                filled: dict = {}
                self.fill(filled, self.since_mark())
                self.push(filled, COST_OF_CONTAINER)
            case "FROZENSET":
                self.push(frozenset(map(checked_key, self.since_mark())), COST_OF_SET)
            case "APPEND":
                value = self.pop()
                self.top(list).append(value)
            case "APPENDS":
                items = self.since_mark()
                self.top(list).extend(items)
            case "SETITEM":
                value, key = self.pop(), self.pop()
                self.fill(self.top(dict), [key, value])
            case "SETITEMS":
                items = self.since_mark()
                self.fill(self.top(dict), items)
            case "ADDITEMS":
                items = self.since_mark()
                self.top(set).update(map(checked_key, items))
            case "POP":
                if self.marks and self.marks[-1] == len(self.stack):
                    self.marks.pop()
                else:
                    self.pop()
            case "POP_MARK":
                self.since_mark()
            case "DUP":
                value = self.pop()
                self.stack += [value, value]
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self.remember(argument)
            case "MEMOIZE":
                self.remember(len(self.memo))
            case "GET" | "BINGET" | "LONG_BINGET":
                self.recall(argument)
            case "GLOBAL":
                self.find(*argument.split(" ", 1))
            case "STACK_GLOBAL":
                name, module = self.pop(), self.pop()
                self.find(module, name)
            case "INST":
                raise refusal(*argument.split(" ", 1))
            case "REDUCE" | "NEWOBJ":
                arguments, function = self.pop(), self.pop()
                self.call(function, arguments)
            case "BUILD":
                # An OrderedDict's attributes: state_dict() hangs module versions there, which nobody needs.
                state = self.pop()
                if self.stack and isinstance(self.stack[-1], NumpyDtype):
                    check_numpy_state(state)
                    return
                self.top(dict)
                if not isinstance(state, dict):
                    raise UnreadableFile("its pickle sets attributes of an object; nothing was run; the file is forged")
            case "BINPERSID":
                self.storages.append(storage_reference(self.pop()))
                self.push(self.storages[-1], COST_OF_SET)
            case _:
                raise UnreadableFile(f"its pickle has the opcode {opcode}, which weights do not need; nothing was run")


def load(stream: BinaryIO) -> tuple[Any, list[Storage]]:
    """Reads one pickle, from where the stream stands up to and including its STOP.

    Args:
        stream: binary, seekable (a BytesIO, an mmap): further pickles may follow.

    Returns:
        the value, and all references to storages in it. The value is made of plain containers with Storage, Tensor,
        Dtype, NumpyDtype, Builder and plain values as leaves. It may be as deep, as cyclic or as shared as the file
        likes: whoever walks it has to bound the walk.

    Raises:
        UnreadableFile: the pickle is damaged, too large, or asks for a global that is not in GLOBALS.
        ValueError, IndexError and their like: from ``pickletools``, on a damaged pickle.
    """
    machine = _Machine()
    start = stream.tell()
    for opcode, argument, position in pickletools.genops(stream):
        if opcode.name == "STOP":
            break
        machine.read = position - start
        if machine.read > MAX_PICKLE_BYTES:
            raise UnreadableFile(f"its pickle is longer than {MAX_PICKLE_BYTES >> 20} MiB; save only the state dict")
        machine.step(opcode.name, argument)
    result = machine.pop()
    if machine.stack or machine.marks:
        raise UnreadableFile("its pickle leaves things on the stack; the file is damaged")
    return result, machine.storages
