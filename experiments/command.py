"""The command ``a3gan``: what stands in experiments/ and tools/, as subcommands.

a3gan anonymize | train | prepare | evaluate | convert  ...     the same as python -m experiments.anonymize ...; --help
for each
"""

import importlib
import sys

#: Subcommand -> module whose ``main`` it is; imported when it is asked for.
COMMANDS = {
    "anonymize": "experiments.anonymize",
    "train": "experiments.train",
    "prepare": "tools.prepare_data",
    "evaluate": "experiments.evaluate",
    "convert": "tools.convert",
}


def main() -> int:
    """Runs a subcommand with the rest of the command line; returns its exit code."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    if asked in COMMANDS:
        sys.argv = [f"a3gan {asked}", *sys.argv[2:]]
        return importlib.import_module(COMMANDS[asked]).main()
    helped = asked in ("-h", "--help")
    print(__doc__ if helped else f"a3gan: choose from {', '.join(COMMANDS)}", file=sys.stdout if helped else sys.stderr)
    return 0 if helped else 2
