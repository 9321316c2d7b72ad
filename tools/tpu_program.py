"""What the text of a program that the TPU compiler has optimised and scheduled says about its time and its traffic.

``jax.stages.Compiled.as_text()`` lists every computation's instructions in the order in which they run, each with its
shapes on one device. This module only reads text: it needs neither JAX nor a TPU.
"""

import dataclasses
import functools
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute", "collective-broadcast")
MATRIX, ELEMENTS, COPIES = "convolutions and matrix products", "element by element", "copies"

_BITS = {"pred": 8, "token": 0, "bf16": 16} | {f"{t}{n}": n for t in "suf" for n in (2, 4, 8, 16, 32, 64)}
_BITS |= {"c64": 64, "c128": 128, "f8e4m3fn": 8, "f8e5m2": 8}
_SHAPE = re.compile(r"([a-z]\w*)\[([\d,]*)\]")
_HEADER = re.compile(r"(ENTRY )?%(\S+) \(.*\{")
_INSTRUCTION = re.compile(r" +(?:ROOT )?%(\S+) = (.*)")
#: What a fusion may hold that only moves data.
_MOVES = frozenset(
    "bitcast broadcast concatenate constant copy dynamic-slice dynamic-update-slice fusion get-tuple-element iota pad "
    "parameter reshape reverse slice transpose tuple".split()
)


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a computation; ``attributes`` is all that follows the operands, as it stands."""

    name: str
    shape: str
    opcode: str
    operands: tuple[str, ...]
    attributes: str

    @property
    def cycles(self) -> int | None:
        """The compiler's estimate of how long it runs, in cycles of a core; None where it makes none."""
        found = re.search(r'"estimated_cycles":"(\d+)"', self.attributes)
        return int(found[1]) if found else None

    @property
    def called(self) -> tuple[str, ...]:
        """The computation of a fusion, a call or an asynchronous operation; the body of a loop; the branches of a
        conditional."""
        if found := re.search(r"branch_computations=\{([^}]*)\}", self.attributes):
            return tuple(re.findall(r"%([\w.-]+)", found[1]))
        names = r"calls|true_computation|false_computation|body"
        if self.opcode == "call":
            names += "|to_apply"
        return tuple(re.findall(rf"\b(?:{names})=%([\w.-]+)", self.attributes))

    @property
    def source(self) -> str:
        """The operation of the traced function that it comes from; "" where it is not known."""
        found = re.search(r'op_name="([^"]*)"', self.attributes)
        return found[1] if found else ""


@dataclasses.dataclass(frozen=True)
class Collective:
    """Something sent between devices: ``times`` in a step, ``sent`` bytes a device and time.

    asynchronous: it has a start and an end of its own. hidden: cycles of computing between the two.
    """

    kind: str
    times: float
    sent: float
    asynchronous: bool
    hidden: int


class Program:
    """A compiled program.

    Args:
        text: of ``jax.stages.Compiled.as_text()``.
        rare: share of the steps in which a conditional takes its costliest branch; in all others it takes the
            cheapest.

    Raises:
        ValueError: the text is no scheduled program, or a loop's number of rounds is not known.
    """

    def __init__(self, text: str, rare: float = 1.0):
        if "is_scheduled=true" not in text.partition("\n")[0]:
            raise ValueError("not the text of a compiled program: its first line does not say is_scheduled=true")
        self._computations, self._entry = _parse(text)
        self._rare = rare
        self._matrix_or_copy = functools.cache(self._kind_of_computation)

    @functools.cached_property
    def cycles(self) -> dict[str, float]:
        """Estimated cycles of an average step by the kind of operation, see ``kind``."""
        total: dict[str, float] = defaultdict(float)
        for times, instruction in self.timed():
            total[self.kind(instruction)] += times * instruction.cycles
        return dict(total)

    def costliest_cycles(self) -> float:
        """Estimated cycles of a step in which all conditionals take their costliest branch."""
        return self._cycles_of(self._entry)

    def timed(self) -> Iterator[tuple[float, Instruction]]:
        """All instructions that have an estimate, with the times that each runs in an average step."""
        for times, computation in self._run(self._entry):
            yield from ((times, i) for i in self._computations[computation] if i.cycles is not None)

    def untimed(self) -> int:
        """How many operations that do something have no estimate (collectives and what runs beside the cores apart)."""
        return sum(
            i.opcode in ("fusion", "custom-call", "sort", "convolution") and i.cycles is None
            for _, computation in self._run(self._entry)
            for i in self._computations[computation]
        )

    def kind(self, instruction: Instruction) -> str:
        """``MATRIX`` where a convolution or product is part of it, ``COPIES`` where it computes nothing; else
        ``ELEMENTS``."""
        if instruction.opcode == "fusion":
            return self._matrix_or_copy(instruction.called[0])
        if instruction.opcode in ("convolution", "dot"):
            return MATRIX
        return COPIES if instruction.opcode in _MOVES else ELEMENTS

    def collectives(self) -> list[Collective]:
        """What an average step sends, in the order of the program."""
        found = []
        for times, computation in self._run(self._entry):
            instructions = self._computations[computation]
            ends = _ends(instructions)
            for at, instruction in enumerate(instructions):
                for kind, sent in self._sent(computation, instruction):
                    between = instructions[at + 1 : ends.get(instruction.name, at)]
                    computing = sum(i.cycles or 0 for i in between if self.kind(i) != COPIES)
                    found.append(Collective(kind, times, sent, instruction.name in ends, computing))
        return found

    def _sent(self, computation: str, instruction: Instruction) -> Iterator[tuple[str, float]]:
        """The kind of every collective that an instruction is or holds, and the bytes that a device sends for it."""
        kind = instruction.opcode.removesuffix("-start")
        if kind in COLLECTIVES:
            yield self._measured(computation, instruction, kind)
        elif instruction.opcode in ("fusion", "async-start"):
            for inner in instruction.called:
                sums = [i for i in self._computations[inner] if i.opcode == "all-reduce"]
                scattered = sums and any(i.opcode == "dynamic-slice" for i in self._computations[inner])
                if scattered:  # how the compiler writes a reduce-scatter
                    yield self._measured(inner, sums[0], "reduce-scatter")
                else:
                    for i in self._computations[inner]:
                        yield from self._sent(inner, i)

    def _measured(self, computation: str, instruction: Instruction, kind: str) -> tuple[str, float]:
        """As for ``_sent``, by the algorithm of a ring, which sends least."""
        shapes = {i.name: i.shape for i in self._computations[computation]}
        size = sum(shape_bytes(shapes[name]) for name in instruction.operands)
        if kind in ("collective-permute", "collective-broadcast"):
            return kind, float(size)
        n = group_size(instruction.attributes)
        shares = {"all-reduce": 2 * (n - 1) / n, "all-gather": n - 1, "reduce-scatter": (n - 1) / n}
        return kind, size * shares.get(kind, (n - 1) / n)

    def _run(self, computation: str, times: float = 1.0) -> Iterator[tuple[float, str]]:
        """The computations that have a schedule of their own, with the times that each runs in an average step."""
        yield times, computation
        for instruction in self._computations[computation]:
            for share, inner in self._shares(instruction, self._rare):
                yield from self._run(inner, times * share)

    def _shares(self, instruction: Instruction, rare: float) -> list[tuple[float, str]]:
        """The computations that an instruction runs, with the times that it does so."""
        match instruction.opcode:
            case "conditional":
                *_, cheap, dear = [None, *sorted(instruction.called, key=self._cycles_of)]
                return [(rare, dear)] + ([(1.0 - rare, cheap)] if cheap and rare < 1.0 else [])
            case "while":
                rounds = re.search(r'"known_trip_count":\{"n":"(\d+)"', instruction.attributes)
                if not rounds:
                    raise ValueError(f"nothing says how often the loop {instruction.name} goes round")
                return [(float(rounds[1]), inner) for inner in instruction.called]
            case "call":
                return [(1.0, inner) for inner in instruction.called]
        return []

    def _cycles_of(self, computation: str) -> float:
        own = sum(i.cycles or 0 for i in self._computations[computation])
        shares = (share for i in self._computations[computation] for share in self._shares(i, rare=1.0))
        return own + sum(times * self._cycles_of(inner) for times, inner in shares)

    def _kind_of_computation(self, computation: str) -> str:
        kinds = {self.kind(i) for i in self._computations[computation]}
        return next(kind for kind in (MATRIX, ELEMENTS, COPIES) if kind in kinds)


def shape_bytes(shape: str) -> int:
    """Bytes of an array or a tuple as it is written (``(f32[8,128]{1,0}, u8[4])``), without padding.

    Raises:
        ValueError: an unknown type of number.
    """
    bits = 0
    for kind, sizes in _SHAPE.findall(shape):
        if kind not in _BITS:
            raise ValueError(f"the type {kind} in {shape[:80]} is not known")
        bits += _BITS[kind] * math.prod(int(n) for n in sizes.split(",") if n)
    return -(-bits // 8)


def group_size(attributes: str) -> int:
    """Among how many devices a collective goes, by its ``replica_groups``.

    Raises:
        ValueError: they are written in a form that is not known.
    """
    if found := re.search(r"replica_groups=mesh\[([^\]]*)\] ?\{([^}]*)\}", attributes):
        sizes: Mapping[str, str] = dict(re.findall(r"'(\w+)'=(\d+)", found[1]))
        return math.prod(int(sizes[axis]) for axis in re.findall(r"'(\w+)'", found[2]))
    if found := re.search(r"replica_groups=\[\d+,(\d+)\]", attributes):
        return int(found[1])
    if found := re.search(r"replica_groups=\{\{([\d,]+)\}", attributes):
        return len(found[1].split(","))
    raise ValueError(f"no replica_groups that can be read in {attributes[:200]!r}")


def _ends(instructions: tuple[Instruction, ...]) -> dict[str, int]:
    """Where what an instruction starts is waited for: its name -> the position of its end."""
    return {i.operands[0]: at for at, i in enumerate(instructions) if "-done" in i.opcode or "-done" in i.name}


def _parse(text: str) -> tuple[dict[str, tuple[Instruction, ...]], str]:
    computations: dict[str, list[Instruction]] = {}
    entry, current = "", []
    for line in text.splitlines():
        if header := _HEADER.match(line):
            current = computations.setdefault(header[2], [])
            entry = header[2] if header[1] else entry
        elif found := _INSTRUCTION.match(line):
            current.append(_instruction(found[1], found[2]))
    if not entry:
        raise ValueError("the program has no ENTRY computation")
    return {name: tuple(instructions) for name, instructions in computations.items()}, entry


def _instruction(name: str, text: str) -> Instruction:
    """``text``: shape, opcode, operands in parentheses, attributes."""
    end = _closing(text, 0) + 1 if text.startswith("(") else text.index(" ")
    opening = text.index("(", end)
    closing = _closing(text, opening)
    operands = tuple(re.findall(r"%([\w.-]+)", text[opening:closing]))
    return Instruction(name, text[:end], text[end:opening].strip(), operands, text[closing + 1 :])


def _closing(text: str, opening: int) -> int:
    """Position of the parenthesis that closes the one at ``opening``."""
    depth = 0
    for found in re.compile(r"[()]").finditer(text, opening):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return found.start()
    raise ValueError(f"a parenthesis is not closed in {text[:200]!r}")
