"""What each part is worth: trains a configuration whole, and without one part at a time, equally long; measures all.

    python -m tools.ablate --output=DIR --root=FOLDER[,FOLDER] [--config=celeba_cpu.py] [--steps=1500]
                           [--only=NAME[,NAME...]] [--limit=N] [--config.key=value ...]

Every variant is the configuration with the overrides that stand in ``ABLATIONS``. It is trained by experiments.train in
DIR/NAME for ``--steps`` steps of the generator (after the identity critic's warm-up), and measured on validation
photos by tools.measure_anonymization, whose figures go to DIR/NAME.json (with --limit, to DIR/NAME.first_N.json). The
same command continues: what is there is not done again, and a run with other settings is refused. Prints the table in
Markdown.

DIR/NAME/sheets show original faces: treat DIR as you treat the photos.

Exit codes: 0 all is measured; else that of the command that failed.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from a3gan_jax.evals.passes import ANONYMIZED, RESTORED
from experiments.configuration import load_config, split_overrides

#: Variant -> its overrides of the configuration.
ABLATIONS: Mapping[str, tuple[str, ...]] = {
    "whole": (),
    "no SCU": ("model.suppression=False",),
    "no gate floor": ("loss.gate_floor=0",),
    "no AINet": ("loss.change_probability=0", "loss.free_probability=0"),  # it may change nothing
    "no anonymization loss": ("loss.anonymization=0",),
    "no identity losses": ("loss.identity=0", "loss.identity_critic=0"),
    "no identity critic": ("loss.identity_critic=0",),
    "no pseudonym losses": ("loss.diversity=0", "loss.pseudonym=0"),
    "no feature matching": ("loss.feature_matching=0",),
}

#: Heading -> where the figure is in what tools.measure_anonymization writes.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "faces found": ("rows", ANONYMIZED, "found"),
    "SFace matched": ("rows", ANONYMIZED, "sface", "matched"),
    "dlib matched": ("rows", ANONYMIZED, "dlib", "matched"),
    "dlib at 1 %": ("rows", ANONYMIZED, "dlib", "matched_at_far"),
    "rank 1, dlib": ("rows", ANONYMIZED, "dlib", "rank1"),
    "two seeds one person, dlib": ("seed_pairs", "dlib", "matched"),
    "kept attributes": ("attributes", "kept_mean"),
    "asked changes seen": ("attributes", ANONYMIZED, "realised"),
    "PSNR at strength 0": ("rows", RESTORED, "psnr"),
}


def folder_name(variant: str) -> str:
    return variant.replace(" ", "_")


def result_file(given: argparse.Namespace, variant: str) -> Path:
    """Where the figures of a variant go."""
    return given.output / f"{folder_name(variant)}{f'.first_{given.limit}' if given.limit else ''}.json"


def train_command(given: argparse.Namespace, variant: str) -> list[str]:
    """The training of a variant."""
    warmup = load_config(given.config, given.overrides).optimizer.critic_warmup_steps
    settings = [*given.overrides, f"total_steps={warmup + given.steps}", *ABLATIONS[variant]]
    return [
        *(sys.executable, "-m", "experiments.train"),
        *(f"--config={given.config}", f"--workdir={given.output / folder_name(variant)}"),
        *(f"--config.{setting}" for setting in (f"data.root={given.root}", *settings)),
    ]


def measure_command(given: argparse.Namespace, variant: str) -> list[str]:
    """The measurement of a trained variant."""
    workdir = given.output / folder_name(variant)
    source = load_config(given.config, given.overrides).data.source
    limit = [f"--limit={given.limit}"] if given.limit else []
    return [
        *(sys.executable, "-m", "tools.measure_anonymization", f"--model={workdir}", f"--source={source}"),
        *(f"--root={given.root}", "--split=validation", f"--json={result_file(given, variant)}", *limit),
    ]


def to_markdown(figures: Mapping[str, Mapping]) -> str:
    """The table: variant -> the figures of tools.measure_anonymization."""
    rows = [["", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    for variant, measured in figures.items():
        cells = [variant]
        for place in COLUMNS.values():
            value = measured
            for key in place:
                value = value[key]
            cells.append(f"{value:.1f} dB" if place[-1] == "psnr" else f"{value:.3f}")
        rows.append(cells)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parse(arguments)
    figures = {}
    for variant in given.only:
        result = result_file(given, variant)
        # A finished training is asked again: only it knows whether it is this one.
        for command in (train_command(given, variant), *([] if result.exists() else [measure_command(given, variant)])):
            if code := subprocess.run(command, stdout=sys.stderr).returncode:
                print(f"ablate: {variant}: exit code {code} of {' '.join(command[1:3])}", file=sys.stderr)
                return code
        figures[variant] = json.loads(result.read_text())
    print(to_markdown(figures))
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--root", required=True, help="the photos, as for experiments.train")
    parser.add_argument("--config", default="celeba_cpu.py")
    parser.add_argument("--steps", type=int, default=1500, help="of the generator, for every variant")
    parser.add_argument("--only", default=",".join(ABLATIONS), help="variants, separated by commas")
    parser.add_argument("--limit", type=int, help="measure only the first photos")
    given, others = parser.parse_known_args(arguments)
    given.only = [name.strip() for name in given.only.split(",")]
    if unknown := [name for name in given.only if name not in ABLATIONS]:
        parser.error(f"no variant {', '.join(unknown)}: there are {', '.join(ABLATIONS)}")
    try:
        given.overrides = split_overrides(others)
        for variant in given.only:
            load_config(given.config, (*given.overrides, *ABLATIONS[variant]))
    except ValueError as error:
        parser.error(str(error))
    return given


if __name__ == "__main__":
    sys.exit(main())
