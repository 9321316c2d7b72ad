"""How a file that does not fit its layout is told."""

import difflib
from collections.abc import Iterable, Sequence


class LayoutError(ValueError):
    """The tensors do not fit the layout; ``problems`` has one line for each thing that is wrong."""

    def __init__(self, layout: str, problems: Sequence[str]):
        # A name out of a file may hold what steers a terminal.
        self.layout, self.problems = layout, tuple(p if p.isprintable() else ascii(p)[1:-1] for p in problems)
        super().__init__(f"does not fit the layout {layout}:\n" + "\n".join(f"  {p}" for p in self.problems))


class Nearest:
    """Names to suggest in an error. Comparing is slow: after twenty suggestions a wrong file is told without more."""

    def __init__(self) -> None:
        self.left = 20

    def __call__(self, name: str, names: Iterable[str]) -> str:
        if self.left == 0:
            return ""
        self.left -= 1
        close = difflib.get_close_matches(name, names, n=2, cutoff=0.7)
        return f" (nearest: {', '.join(close)})" if close else ""
