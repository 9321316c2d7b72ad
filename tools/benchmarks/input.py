"""``benchmark input``: the pipeline of a3gan_jax/data/pipeline.py, alone and in front of the training step.

The pipeline reads photos of CelebA's size: those of ``--root``, or drawn ones, written for the occasion. Three things
are timed in turns: the training step on faces that are there already, the training step as it takes its batches from
the pipeline, and the pipeline alone. ``input_wait_share`` is the share of the second that the first does without: what
training waits for input, and what the pipeline's threads take of its cores. Goal: a pipeline three times as fast as
training, and no share beyond the spread.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tools.benchmarks import train
from tools.benchmarks.turns import Side, rate

WAYS = ("train", "fed", "pipeline")


def options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(settings=())
    parser.add_argument(
        "--config",
        default="celeba_cpu.py",
        help="as of experiments/train.py; settings follow as --config.KEY=VALUE, such as --config.data.threads=16",
    )
    parser.add_argument("--root", help="a CelebA folder, or several separated by commas; else drawn photos")
    parser.add_argument("--photos", type=int, default=400, help="that are drawn")
    parser.add_argument("--images", type=int, default=2000, help="that the pipeline alone reads in a run")
    parser.add_argument("--steps", type=int, default=16, help="of training in a run")
    parser.add_argument("--runs", type=int, default=5, help="beside one to warm up")


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Images a second of the pipeline, and how long training waits for it."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="a3gan-benchmark-") as folder:
        with Side(Fed, given, given.root or folder) as side:
            facts = side.call("facts")
            for number in range(1, given.runs + 1):
                for way in WAYS:
                    seconds[way].append(side.call(way))
                    text = f"run {number} of {given.runs}: {way}, {1000 * seconds[way][-1]:.1f} ms a batch"
                    print(text, file=sys.stderr, flush=True)
    figures = facts
    for way in WAYS:
        figures |= rate(f"{way}_", "batch", seconds[way], facts["batch_size"])
    alone, fed, pipeline = (statistics.median(seconds[way]) for way in WAYS)
    return figures | {
        "input_wait_share": 1 - alone / fed,
        "ratio_pipeline_to_train": alone / pipeline,
        "steps_a_run": given.steps,
        "runs": given.runs,
    }


class Fed:
    """The training of ``benchmark train``, with and without the pipeline."""

    def __init__(self, given: argparse.Namespace, root: str):
        """``root``: of a CelebA data set; an empty folder gets one."""
        from a3gan_jax.data.sources import load_dataset

        if not given.root:
            draw_celeba(Path(root), given.photos)
        self.given = given
        config = train.configuration(given)
        self.faces = load_dataset("celeba", root, "train", min_photos=config.data.min_photos)
        self.training = train.Ours(argparse.Namespace(**vars(given) | {"people": self.faces.num_people}))
        self.batches = self.open()

    def open(self) -> Any:
        """The batches that experiments/train.py would take."""
        from a3gan_jax.data.pipeline import face_batches

        config = self.training.config
        return face_batches(
            self.faces,
            names=self.training.setup.networks.config.attributes,
            image_size=config.image_size,
            batch_size=config.batch_size,
            seed=config.seed,
            train=True,
            threads=config.data.threads,
            max_corrupt=config.data.max_corrupt,
        )

    def facts(self) -> dict[str, Any]:
        sizes = [len(self.faces[i]["image"]) for i in range(0, len(self.faces), -(-len(self.faces) // 100))]
        drawn = "" if self.given.root else ", drawn"
        return {
            "photos": f"{len(self.faces)} of {statistics.mean(sizes) / 1024:.1f} KiB{drawn}",
            "threads": self.training.config.data.threads,
        } | {
            name: value
            for name, value in self.training.facts().items()
            if name in ("accelerator", "devices", "networks", "batch_size")
        }

    def train(self) -> float:
        """Seconds a step on faces that are there already."""
        return self.training.run(self.given.steps)

    def fed(self) -> float:
        """Seconds a step on faces of the pipeline."""
        # What the pipeline has read ahead while nobody asked is used up before the clock starts.
        self.training.run(self.training.config.loss.gradient_penalty_every, self.batches)
        return self.training.run(self.given.steps, self.batches)

    def pipeline(self) -> float:
        """Seconds a batch of the pipeline alone, once it runs."""
        batches = self.open()
        next(batches)
        count = -(-self.given.images // self.training.config.batch_size)
        start = time.perf_counter()
        for _ in range(count):
            next(batches)
        seconds = time.perf_counter() - start
        batches.close()
        return seconds / count


def draw_celeba(root: Path, photos: int) -> None:
    """A CelebA folder of so many drawn photos, all of them for training."""
    from PIL import Image

    from a3gan_jax.data import celeba
    from a3gan_jax.data.procedural import ProceduralFaces
    from a3gan_jax.geometry import CELEBA_SIZE

    width, height = CELEBA_SIZE
    faces, left = ProceduralFaces(photos, height), (height - width) // 2
    lines: dict[str, list[str]] = {
        celeba.ATTRIBUTES: [str(photos), " ".join(faces.attribute_names)],
        celeba.IDENTITIES: [],
        celeba.PARTITION: [],
    }
    (root / celeba.IMAGES).mkdir()
    for number in range(photos):
        face, name = faces[number], f"{number + 1:06d}.jpg"
        picture = Image.fromarray(face["image"][:, left : left + width])
        picture.save(root / celeba.IMAGES / name, quality=95)
        lines[celeba.ATTRIBUTES].append(" ".join([name, *("1" if has else "-1" for has in face["attributes"])]))
        lines[celeba.IDENTITIES].append(f"{name} {face['identity'] + 1}")
        lines[celeba.PARTITION].append(f"{name} 0")
    for name, content in lines.items():
        (root / name).write_text("\n".join(content) + "\n")
