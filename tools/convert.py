"""Converts weights of PyTorch projects (and SFace's ONNX file) for the Flax networks of this project.

    python tools/convert.py INPUT --to DIR [--from LAYOUT] [--verify]       .pth, .pt, .safetensors or .onnx -> a model
    python tools/convert.py MODEL_DIR --to weights.pth --from a3gan         a trained A3GAN -> a PyTorch state dict

DIR gets an Orbax checkpoint and model.json; ``a3gan_jax.load(DIR)`` reads it. Files are read without torch and without
running anything that is in them. Every tensor must fit: names, shapes, data types, finite values; all that does not is
told at once, and nothing is written.

Exit codes: 0 it is converted; 2 it is not, the reasons are on stderr.
"""

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # started by its path: the project need not be installed
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from a3gan_jax.checkpoint import load_model, model_description
from a3gan_jax.convert.converted_model import describe, source_of
from a3gan_jax.convert.layouts import LAYOUTS, Layout, LayoutError, a3gan, build, state_dict_of
from a3gan_jax.convert.layouts.guess import UnclearLayout, guess
from a3gan_jax.convert.onnx_file import read_onnx_arrays
from a3gan_jax.convert.torch_file import UnreadableFile, read_checkpoint
from a3gan_jax.convert.torch_writer import write_state_dict
from a3gan_jax.model_folder import check_target, write_model_folder

LARGEST_ERROR = 1e-5  # of --verify, relative
TORCH_SUFFIXES = (".pth", ".pt")
NO_REFERENCE = "--verify has no reference for a3gan; it comes over bit for bit"


class NotConverted(ValueError):
    """What keeps the command from converting, other than the file itself."""


def convert(given: argparse.Namespace) -> None:
    """Converts as the command line says; writes all or nothing."""
    source, target = given.input, given.to
    if source.is_dir():
        export(given)
        return
    if target.suffix in TORCH_SUFFIXES:
        raise NotConverted(f"{target} would be a PyTorch file: that takes an A3GAN's folder as input; give a folder")
    check_target(target.absolute(), given.overwrite)
    variables, description = network_of(given)
    gc.collect()  # lets go of the file that the reader has mapped: writing takes memory enough
    write_model_folder(target, variables, description, overwrite=given.overwrite)
    print(f'wrote {target}; a3gan_jax.load("{target}") reads it')


def network_of(given: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The variables that a file holds, and what ``model.json`` says of them."""
    source = given.input
    checkpoint = read(source, given.reader)
    if given.layout == a3gan.NAME or (given.layout is None and a3gan.is_a3gan(checkpoint)):
        announce(source, a3gan.NAME, given.layout)
        if given.verify:
            raise NotConverted(NO_REFERENCE)
        model = a3gan.from_state_dict(checkpoint)
        return model.variables, model_description(model.config, model.step) | {"source": source_of(source)}
    layout = LAYOUTS[given.layout] if given.layout else guess(candidates(source), checkpoint)
    announce(source, layout.name, given.layout)
    if layout not in candidates(source):
        raise NotConverted(f"the layout {layout.name} is not kept in {source.suffix or 'such'} files")
    tensors = state_dict_of(layout, checkpoint)
    network, arguments, variables = build(layout, tensors)
    if given.verify:
        verify(layout, tensors, network, variables)
    return variables, describe(layout, arguments, source_of(source))


def export(given: argparse.Namespace) -> None:
    """Writes an A3GAN as a PyTorch state dict."""
    source, target = given.input, given.to
    if given.layout not in (None, a3gan.NAME) or target.suffix not in TORCH_SUFFIXES:
        raise NotConverted(f"{source} is a folder: only an A3GAN's can be converted, with --to FILE.pth --from a3gan")
    if given.verify:
        raise NotConverted(NO_REFERENCE)
    if target.is_dir() or (target.exists() and not given.overwrite):
        raise FileExistsError(f"{target} exists: choose another name, or replace a file with --overwrite")
    tensors = a3gan.to_state_dict(load_model(source))
    write_state_dict(target, tensors)
    print(f"wrote {target}: {len(tensors)} entries, {target.stat().st_size / 2**20:.1f} MiB")


def read(file: Path, reader: str) -> Any:
    """What a file holds, in plain containers with numpy arrays for tensors."""
    if file.suffix == ".onnx":
        return read_onnx_arrays(file)
    if reader == "torch":
        from a3gan_jax.convert.torch_reader import read_with_torch

        return read_with_torch(file)
    return read_checkpoint(file)


def candidates(file: Path) -> list[Layout]:
    """The layouts that are defined on such files."""
    return [layout for layout in LAYOUTS.values() if layout.onnx == (file.suffix == ".onnx")]


def announce(file: Path, name: str, asked: str | None) -> None:
    """Says which layout is taken."""
    print(f"{file}: layout {name}" + ("" if asked else " (guessed from names and shapes)"))


def verify(layout: Layout, tensors: Any, network: Any, variables: Any) -> None:
    """Compares with the float64 reference of the peer's operations, and with its own module if that is installed."""
    from a3gan_jax.convert.reference import verify as compare_with_reference
    from a3gan_jax.convert.reference.real_modules import compare_with_module

    for what, compare in (("NumPy reference", compare_with_reference), ("original module", compare_with_module)):
        error = compare(layout, tensors, network, variables)
        if error is None:  # it is not installed
            continue
        print(f"verified with the {what}: largest relative error {error:.2e}")
        if not error <= LARGEST_ERROR:
            raise NotConverted(f"its outputs differ from the {what} by {error:.2e}, more than {LARGEST_ERROR:.0e}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="convert.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("input", metavar="INPUT", type=Path, help="file of weights, or folder of a trained A3GAN")
    parser.add_argument("--to", required=True, type=Path, help="folder of the model; FILE.pth for an A3GAN")
    parser.add_argument(
        "--from", dest="layout", choices=[*LAYOUTS, a3gan.NAME], help="layout of INPUT; default: guessed"
    )
    parser.add_argument("--verify", action="store_true", help="compare with a reference before writing (slow)")
    parser.add_argument("--overwrite", action="store_true", help="replace a model that is there already")
    parser.add_argument(
        "--reader", choices=("safe", "torch"), default="safe", help="torch: read with PyTorch (weights_only=True)"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(arguments)
    try:
        convert(given)
    except UnreadableFile as error:  # names its file
        return fail(str(error))
    except (LayoutError, UnclearLayout) as error:
        return fail(f"{given.input}: {error}")
    except (NotConverted, ModuleNotFoundError, OSError, ValueError) as error:
        return fail(str(error))
    return 0


def fail(reason: str) -> int:
    print(f"convert.py: error: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
