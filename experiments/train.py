"""Trains A3GAN.

    python -m experiments.train --config=NAME_OR_PATH --workdir=DIR [--config.key=value ...]

A name is found in experiments/configs/. The same command continues a stopped run exactly where its newest checkpoint
is, on any number of devices and processes. The workdir gets config.json, metrics.jsonl, tensorboard/, sheets/,
checkpoints/, and at the end model/.

Exit codes: 0 the run is finished; 143 it was asked to stop (SIGTERM, SIGINT), has saved and can be started again; 1 an
error; 2 a wrong command line, configuration or data folder.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import jax
import numpy as np
from clu import parameter_overview
from ml_collections import ConfigDict

from a3gan_jax import attributes, sharding
from a3gan_jax.checkpoint import (
    Checkpoints,
    WorkdirMismatch,
    claim_workdir,
    describe_model,
    export_model,
    model_variables,
)
from a3gan_jax.contact_sheet import save_png
from a3gan_jax.data.pipeline import corrupt_images, face_batches
from a3gan_jax.data.sources import FaceDataset, Joined, Part, load_dataset
from a3gan_jax.growing import start_from
from a3gan_jax.sharded_steps import ShardedSteps
from a3gan_jax.weights import read_model
from experiments import cluster
from experiments.compilation import use_compilation_cache
from experiments.configuration import create_setup, load_config, split_overrides
from experiments.held_out import HeldOut
from experiments.progress import Clock, Measurements, Writer, duration

SHEET_ROWS = 8
#: What the screen shows of the measurements; the files have all.
SHOWN = (
    "images_per_second",
    "loss/generator",
    "loss/discriminator",
    "loss/reconstruction",
    "identity_cosine",
    "critic_top1_original",
    "critic_top1_anonymized",
)
STOPPED = 143


class UnusableInput(ValueError):
    """The data, or the model to start from, is not there or cannot be used."""


def train(config: ConfigDict, workdir: str | Path) -> int:
    """Runs or continues a training; returns the exit code.

    Raises:
        FloatingPointError: a loss or norm became NaN or Inf; names the step and the measurements. The checkpoints
            that are there are good.
        WorkdirMismatch: the workdir belongs to a run with another configuration.
        UnusableInput: there is no data, or no model to start from; nothing was written.
        ValueError: the configuration does not fit the data or the devices.
    """
    workdir = Path(workdir).absolute()
    names = attributes.vocabulary(config.attributes)
    trained = None
    try:
        faces, held_out_faces = (open_faces(config, split) for split in ("train", "validation"))
        if config.start_from and not (workdir / "checkpoints").exists():  # a run that goes on needs no start
            trained = read_model(config.start_from)
    except (FileNotFoundError, ValueError) as error:
        raise UnusableInput(str(error)) from error
    with cluster.first_process_first("workdir"):
        claim_workdir(workdir, config.to_dict())
    stop = cluster.StopSignal()

    # ------------------------------------------------------------------------------------------------ devices
    use_compilation_cache()
    mesh = sharding.create_mesh(**config.mesh)
    say(f"{mesh.size} x {mesh.devices.flat[0].device_kind}, mesh {dict(mesh.shape)}, jax {jax.__version__}")
    init_key, run_key, look_key = jax.random.split(jax.random.key(config.seed), 3)

    with Checkpoints(workdir, config.keep_checkpoints) as checkpoints:
        if checkpoints.latest_step() == config.total_steps and (workdir / "model").exists():
            say(f"this run is finished: its model is in {workdir / 'model'}")
            return 0

        # ------------------------------------------------------------------------------------------------ data
        say(f"{len(faces)} training faces of {faces.num_people} people, {len(held_out_faces)} held out")
        batches = face_batches(
            faces,
            names=names,
            image_size=config.image_size,
            batch_size=sharding.per_process_batch_size(config.batch_size, mesh),
            seed=config.seed,
            train=True,
            light=config.data.light,
            threads=config.data.threads,
            max_corrupt=config.data.max_corrupt,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )

        # ------------------------------------------------------------------------------------------------ networks
        setup, frozen = create_setup(config, faces.num_people)
        # How to compute is the training's choice; a model that is used on a CPU is faster in float32.
        model_config = dataclasses.replace(setup.networks.config, compute="float32")
        if jax.process_index() == 0:
            describe_model(workdir, model_config)
        frozen = jax.device_put(frozen, sharding.replicated(mesh))

        # ------------------------------------------------------------------------------------------------ state
        sharded = ShardedSteps(setup, mesh)
        if checkpoints.latest_step() is None:
            first, state = 0, sharded.init(init_key)
            if config.start_from:
                trained = trained or read_model(config.start_from)
                state = start_from(state, setup.networks.config, trained.variables, trained.config)
                state = jax.device_put(state, sharded.shardings)
                say(f"starting from {config.start_from}")
            for name in ("generator", "ainet", "discriminator", "critic"):
                say(f"{name}\n{parameter_overview.get_parameter_overview(getattr(state, name), include_stats=False)}")
        else:
            first, state = checkpoints.restore(sharded.abstract_state, sharded.shardings, batches)
            say(f"continuing after step {first}")

        # ------------------------------------------------------------------------------------------------ looking
        look = HeldOut(
            read_held_out(held_out_faces, config, names),
            rows=SHEET_ROWS,
            networks=setup.networks,
            recognizers=setup.recognizers,
            frozen=frozen,
            batch_size=config.batch_size,
            mesh=mesh,
            key=look_key,
        )
        measurements, writer, clock = Measurements(), Writer(workdir, first), Clock(first)

        # ------------------------------------------------------------------------------------------------ the loop
        for step in range(first + 1, config.total_steps + 1):
            batch = sharding.put_batch(mesh, next(batches))
            state, measured = sharded.at(step - 1)(state, frozen, batch, jax.random.fold_in(run_key, step))
            measurements.add(step, measured)

            log, sheet, validate, checkpoint = (
                step % every == 0 or step == config.total_steps
                for every in (config.log_every, config.sheet_every, config.validate_every, config.checkpoint_every)
            )
            stopping = stop.at(step)  # asked once a step: the signal may come between two lines
            if log or sheet or validate or checkpoint or stopping:
                measurements.check_all()  # nothing is made of a state whose measurements were not seen to be finite

            if log:
                figures = measurements.average()
                rate = clock.steps_per_second(step)
                figures |= {
                    "images_per_second": rate * config.batch_size,
                    "corrupt_images": len(corrupt_images(batches)),
                }
                writer.write(step, figures)
                left = duration((config.total_steps - step) / rate)
                shown = {name: figures[name] for name in SHOWN if name in figures}
                say(f"step {step}/{config.total_steps}  {left} left  {as_text(shown)}")

            generator_learns = step > setup.optimizer.critic_warmup_steps
            if sheet and generator_learns:
                with clock.paused():
                    picture = look.sheet(state.ema)
                if jax.process_index() == 0:
                    save_png(picture, workdir / "sheets" / f"{step:07d}.png")

            if validate and generator_learns:
                with clock.paused():
                    figures = look.validate(state.ema)
                writer.write(step, figures)
                say(f"step {step}/{config.total_steps}  {as_text(figures)}")

            if checkpoint or stopping:
                checkpoints.save(step, state, batches)

            if stopping and step < config.total_steps:
                checkpoints.wait()
                writer.close()
                say(f"asked to stop: saved step {step}; the same command continues")
                return STOPPED

        # ------------------------------------------------------------------------------------------------ the model
        checkpoints.wait()
        writer.close()
        variables = jax.device_get(sharded.gather(model_variables(state)))
        if jax.process_index() == 0:
            export_model(workdir / "model", model_config, variables, config.total_steps)
        say(f"finished: the model is in {workdir / 'model'}")
        return 0


def open_faces(config: ConfigDict, split: str) -> FaceDataset:
    """A split of the data set that the configuration names; to train on, with the faces that it names besides."""
    data = config.data
    faces = load_dataset(
        data.source, data.root, split, min_photos=data.min_photos, image_size=config.image_size, seed=config.seed
    )
    if split != "train" or not data.extra:
        return faces
    more = [load_dataset("csv", root, split, min_photos=data.min_photos) for root in data.extra.split(",")]
    return Joined([faces, *more])


def read_held_out(faces: FaceDataset, config: ConfigDict, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """``validation_images`` held-out faces, spread over all of them; the same in every process."""
    count = min(max(SHEET_ROWS, config.validation_images), len(faces))
    batches = face_batches(
        Part(faces, 0, len(faces), len(faces) // count),
        names=names,
        image_size=config.image_size,
        batch_size=count,
        seed=0,
        train=False,
        threads=config.data.threads,
        max_corrupt=config.data.max_corrupt,
    )
    return next(batches)


def as_text(figures: dict[str, float]) -> str:
    return "  ".join(f"{name.split('/')[-1]} {value:.4g}" for name, value in figures.items())


def say(text: str) -> None:
    """Prints in the first process."""
    if jax.process_index() == 0:
        print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--config", required=True, help="name in experiments/configs/, or path of a file")
    parser.add_argument("--workdir", required=True, help="folder of the run")
    cluster.add_options(parser)
    arguments, others = parser.parse_known_args()
    try:
        config = load_config(arguments.config, split_overrides(others))
        cluster.join(arguments)
    except ValueError as error:
        parser.error(str(error))
    try:
        return train(config, arguments.workdir)
    except (UnusableInput, WorkdirMismatch, FloatingPointError) as error:
        print(f"train.py: error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UnusableInput) else 1


if __name__ == "__main__":
    sys.exit(main())
