"""The command line of experiments/evaluate.py."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from a3gan_jax.evals.attacks.restoration import STEPS
from a3gan_jax.evals.methods.load import expand, method_names
from experiments.evaluation_plan import DATA


def parse(description: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says. ``data``: name of an option --data.NAME -> folder."""
    parser = argparse.ArgumentParser(
        prog="evaluate.py",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )

    def names(text: str) -> tuple[str, ...]:
        return tuple(name.strip() for name in text.split(",") if name.strip())

    def methods(text: str) -> tuple[str, ...]:
        try:
            return expand(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    def limits(text: str) -> dict[str, int]:
        found = {}
        for part in names(text):
            name, equals, value = part.rpartition("=")
            if (equals and name not in DATA) or not value.isdigit() or int(value) < 1:
                raise argparse.ArgumentTypeError(f"write N or NAME=N, NAME one of {', '.join(DATA)}, not {part}")
            found[name] = int(value)
        return found

    add = parser.add_argument
    add(
        "--method",
        type=methods,
        default=("identity", "blackbox", "blur:0.15", "pixelate:8", "a3gan"),
        metavar="A,B",
        help=f"what is judged: {', '.join(method_names())}, folder:PATH, package.module:function; all",
    )
    add("--weights", metavar="DIR", help="of the methods with a3gan; a folder, or a name in the package")
    add("--report", type=Path, required=True, metavar="DIR", help="report.json, report.md and report.html go here")
    for name, (_, _, what) in DATA.items():
        add(f"--data.{name}", dest=f"data_{name}", metavar="FOLDER", help=what)
    add(
        "--limit",
        type=limits,
        default={},
        metavar="N,NAME=N",
        help="about so many photos of each data set, or of that of --data.NAME; the report says so",
    )
    add("--recognizers", type=names, default=("sface", "dlib"), metavar="A,B", help="sface, dlib, converted folders")
    add(
        "--trained_against",
        type=names,
        default=("sface",),
        metavar="A,B",
        help="recognisers that count in no headline, as some method has learned to defeat them; default: sface",
    )
    add("--seed", type=int, default=0, help="of all methods and attacks")
    add("--seeds", type=int, default=4, help="how many the seed attack averages over; 0: no such attack")
    add(
        "--averaged",
        type=methods,
        metavar="A,B",
        help="methods that the seed attack is tried on; default: all that are a3gan or a3gan:TASK",
    )
    add("--inversion", type=methods, default=(), metavar="A,B", help="methods that a network learns to undo (minutes)")
    add("--inversion_steps", type=int, default=STEPS)
    add("--processes", type=int, default=1, help="that share the work")
    add("--contact_sheets", action="store_true", help="best, median and worst cases in report.html: shows originals")
    add("--cache", metavar="DIR", help="keep what was seen (embeddings of originals: personal data) for other runs")
    given = parser.parse_args(arguments)
    given.limit = {name: given.limit.get(name, given.limit.get("")) for name in DATA}
    if given.averaged is None:
        given.averaged = tuple(name for name in given.method if name == "a3gan" or name.startswith("a3gan:"))
    for option in ("averaged", "inversion"):
        if strange := [name for name in getattr(given, option) if name not in given.method]:
            parser.error(f"--{option} names {', '.join(strange)}, which --method does not: add it there")
    given.data = {name: getattr(given, f"data_{name}") for name in DATA if getattr(given, f"data_{name}")}
    if not given.data:
        parser.error(f"give some data: {', '.join(f'--data.{name}=FOLDER' for name in DATA)}")
    for name, least in (("seeds", 0), ("inversion_steps", 1), ("processes", 1)):
        if getattr(given, name) < least:
            parser.error(f"--{name} must be at least {least}")
    return given
