"""From a ``FaceDataset`` to batches: decode, crop, resize, flip, shuffle, repeat, batch; exactly resumable.

Every image is a pure function of the seed and its position in the stream of all processes. So the iterator's state is
that position and the corrupt images met so far, a few numbers that JSON holds, and a training goes on with the very
next image on any number of processes.
"""

import io
import logging
import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import grain
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from a3gan_jax import geometry
from a3gan_jax.attributes import positions
from a3gan_jax.data.sources import FaceDataset

_log = logging.getLogger(__name__)

#: What Pillow raises on bytes that are not a whole image; errors of reading a file are none of these, they stop us.
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


def crop_box(crop: str, width: int, height: int) -> tuple[float, float, float, float]:
    """The aligned crop (left, top, right, bottom) in an image of ``width`` x ``height`` pixels.

    Args:
      crop: "celeba" for an aligned CelebA photo, 178x218 or a copy of it in another size; "square" for a crop.

    Raises:
      ValueError: the image has another shape than ``crop`` promises.
    """
    if crop == "square":
        if width != height:
            raise ValueError(f"the image has {width}x{height} pixels, an aligned crop is square")
        return 0.0, 0.0, float(width), float(height)
    if crop == "celeba":
        full_width, full_height = geometry.CELEBA_SIZE
        if abs(width * full_height - height * full_width) > max(full_width, full_height):  # more than rounding
            raise ValueError(
                f"the image has {width}x{height} pixels, an aligned CelebA photo {full_width}x{full_height} or a share"
            )
        (left, top), side = geometry.CROP_ORIGIN, geometry.CROP_SIDE
        x, y = width / full_width, height / full_height
        return left * x, top * y, (left + side) * x, (top + side) * y
    raise ValueError(f"unknown crop {crop!r}: it is celeba or square")


def aligned_face(image: bytes | np.ndarray, crop: str, size: int) -> np.ndarray:
    """One aligned face (size, size, 3) uint8, RGB, from an encoded image or a uint8 array (H, W, 3).

    Shrinks with Pillow's Hamming filter, on photos within 50 dB of exact area averaging (its box filter, which takes
    whole pixels only, stays at 38), and enlarges with its bicubic one.

    Raises:
      ValueError, OSError or another error of Pillow's: the bytes are no whole image, or not of the shape of ``crop``.
    """
    opened = Image.fromarray(image) if isinstance(image, np.ndarray) else Image.open(io.BytesIO(image))
    if opened.mode[0] in "IF":  # Pillow would clip these to white
        raise ValueError(f"pixels of mode {opened.mode}, with more than 8 bits a channel: convert it to 8 bits")
    picture = ImageOps.exif_transpose(opened).convert("RGB")
    box = crop_box(crop, *picture.size)
    if box == (0, 0, size, size) == (0, 0, *picture.size):
        return np.asarray(picture)
    shrinks = box[2] - box[0] > size
    resampling = Image.Resampling.HAMMING if shrinks else Image.Resampling.BICUBIC
    return np.asarray(picture.resize((size, size), resampling, box=box))


class _Corrupt(NamedTuple):
    """Takes the place of an element whose image cannot be decoded."""

    index: int
    name: str
    why: str


class _Read(NamedTuple):
    """An element of a batch, None if it cannot be had, and the corrupt ones in whose place it stands."""

    element: dict[str, np.ndarray] | None
    corrupt: tuple[_Corrupt, ...]


class _Load:
    """Index -> element of a batch, or ``_Corrupt``; runs in the reading threads."""

    def __init__(self, dataset: FaceDataset, names: Sequence[str], image_size: int):
        if lacking := [name for name in names if name not in dataset.attribute_names]:
            has = ", ".join(dataset.attribute_names) or "none"
            raise ValueError(f"the data set has no labels for {', '.join(lacking)}; it has: {has}")
        self._dataset = dataset
        self._columns = positions(names, dataset.attribute_names)
        self._image_size = image_size

    def __call__(self, index: int) -> dict[str, np.ndarray] | _Corrupt:
        face = self._dataset[index]
        try:
            image = aligned_face(face["image"], face.get("crop", self._dataset.crop), self._image_size)
        except UnidentifiedImageError:  # its own words hold an address, and differ from run to run
            return _Corrupt(index, face["name"], "no image format that Pillow knows")
        except DECODE_ERRORS as error:
            return _Corrupt(index, face["name"], str(error) or type(error).__name__)
        return {
            "image": image,
            "attributes": np.asarray(face["attributes"], np.uint8)[self._columns],
            "identity": np.int32(face["identity"]),
            "index": np.int32(index),
        }


def _random_flip(element: dict | _Corrupt, rng: np.random.Generator) -> dict | _Corrupt:
    """Mirrors every other face; no attribute knows left from right."""
    if isinstance(element, _Corrupt) or rng.integers(2):
        return element
    return element | {"image": element["image"][:, ::-1]}


class _RandomLight:
    """Half of the faces under another light: exposure, contrast and colour by chance, an eighth of them grey.

    ``spread`` scales how far; that 1 is about what photos of strangers show is our own choice.
    """

    def __init__(self, spread: float):
        self._spread = spread

    def __call__(self, element: dict | _Corrupt, rng: np.random.Generator) -> dict | _Corrupt:
        if isinstance(element, _Corrupt) or rng.integers(2):
            return element
        contrast, exposure, *colour = np.exp(
            self._spread * np.array([0.3, 0.25, 0.12, 0.12, 0.12]) * rng.normal(size=5)
        )
        image = element["image"]
        if rng.integers(8) == 0:
            image = np.asarray(Image.fromarray(image).convert("L").convert("RGB"))
        levels = (np.arange(256) / 255.0)[:, None] ** contrast * exposure * np.array(colour)
        curves = np.rint(255 * np.clip(levels, 0.0, 1.0)).astype(np.uint8)
        return element | {"image": np.stack([curves[image[..., c], c] for c in range(3)], axis=-1)}


class _Share(grain.MapDataset):
    """A process's share of a stream without end: of each batch of all processes a block.

    In the place of a corrupt image stands the next one that is none, so that positions stay what they are.
    """

    def __init__(self, parent: grain.MapDataset, block: int, process_index: int, process_count: int, attempts: int):
        super().__init__(parent)
        self._block, self._process_index, self._process_count = block, process_index, process_count
        self._attempts = attempts

    def __len__(self) -> int:
        return len(self.parents[0]) // self._process_count

    def __getitem__(self, index: int | slice) -> "_Read | grain.MapDataset":
        if isinstance(index, slice):
            return self.slice(index)
        batch, place = divmod(index, self._block)
        first = (batch * self._process_count + self._process_index) * self._block + place
        corrupt: list[_Corrupt] = []
        for position in range(first, first + self._attempts):
            if not isinstance(element := self.parents[0][position], _Corrupt):
                return _Read(element, tuple(corrupt))
            corrupt.append(element)
        return _Read(None, tuple(corrupt))


def _as_read(element: dict | _Corrupt) -> _Read:
    return _Read(None, (element,)) if isinstance(element, _Corrupt) else _Read(element, ())


class _CountCorrupt(grain.IterDataset):
    """Passes elements on, counts corrupt ones.

    It stands behind the reading threads, not in them: so the count follows the order of the stream, and the limit
    strikes at the same step in every run.
    """

    def __init__(self, parent: grain.IterDataset, images: int, max_corrupt: int, process_count: int):
        super().__init__(parent)
        self._arguments = images, max_corrupt, process_count

    def __iter__(self) -> grain.DatasetIterator:
        return _CountCorruptIterator(iter(self.parents[0]), *self._arguments)


class _CountCorruptIterator(grain.DatasetIterator):
    def __init__(self, parent: grain.DatasetIterator, images: int, max_corrupt: int, process_count: int):
        super().__init__(parent)
        self._elements, self._images, self._max_corrupt = parent, images, max_corrupt
        self._process_count = process_count
        self._corrupt: dict[str, str] = {}  # index (text, for JSON) -> name and reason

    def __next__(self) -> dict[str, np.ndarray]:
        element = None
        while element is None:
            element, corrupt = next(self._elements)
            for one in corrupt:
                self._count(one)
        return element

    def _count(self, corrupt: _Corrupt) -> None:
        if str(corrupt.index) in self._corrupt:
            return
        self._corrupt[str(corrupt.index)] = f"{corrupt.name}: {corrupt.why}"
        _log.warning("skipping corrupt image %s: %s", corrupt.name, corrupt.why)
        # The second half: images without end of which none can be read would be waited for without end.
        if len(self._corrupt) > self._max_corrupt or len(self._corrupt) == self._images:
            raise RuntimeError(
                f"{len(self._corrupt)} of {self._images} images cannot be decoded, the limit is {self._max_corrupt}; "
                "repair or remove them, or raise max_corrupt:\n  " + "\n  ".join(self._corrupt.values())
            )

    def get_state(self) -> dict:
        position = self._elements.get_state()["next_index"] * self._process_count
        return {"position": position, "images": self._images, "corrupt": dict(self._corrupt)}

    def set_state(self, state: dict) -> None:
        if state["images"] != self._images:
            raise ValueError(
                f"the saved iterator went through {state['images']} images, this data set has {self._images}: continue "
                "on the same data, or start a new run"
            )
        self._elements.set_state({"next_index": state["position"] // self._process_count})
        self._corrupt = dict(state["corrupt"])


def face_batches(
    dataset: FaceDataset,
    *,
    names: Sequence[str],
    image_size: int,
    batch_size: int,
    seed: int,
    train: bool,
    light: float = 0.0,
    threads: int = 2,
    max_corrupt: int = 10,
    process_index: int = 0,
    process_count: int = 1,
) -> grain.DatasetIterator:
    """Batches of aligned faces, the same ones for the same arguments.

    Args:
      dataset: where faces come from.
      names: the K attributes wanted, in this order.
      image_size: side S of the images, in pixels.
      batch_size: B, images in a batch of this process.
      seed: of the shuffling, the flips and the light, 0 <= seed < 2**32.
      train: True for an endless stream, shuffled anew in every epoch, every image flipped at random; each batch is
        full. False for one pass in the order of ``dataset``; the last batch may be shorter.
      light: in training, how far exposure, contrast and colour of half of the images are changed by chance; 0 not at
        all, 1 about as photos of strangers differ.
      threads: reading threads; 0 reads in the caller's.
      max_corrupt: images met by this process that may be impossible to decode. They are logged once each; in training
        the next image takes the place of one, otherwise it is skipped; one more is an error that names all.
      process_index, process_count: in training, this process's part of each batch of ``process_count * batch_size``
        images, a block in the order of the processes. The images of that batch do not depend on how many they are.

    Returns:
      A Grain iterator with ``get_state``, ``set_state`` and ``close``. A batch holds ``image`` uint8 (B, S, S, 3),
      ``attributes`` uint8 (B, K) in {0, 1}, ``identity`` int32 (B,) with -1 for unknown, and ``index`` int32 (B,),
      positions in ``dataset``. Its state is plain values. Set to one it goes on with the very next batch, whatever
      ``threads`` is and on how many processes it was saved, and still knows which images were corrupt.

    Raises:
      ValueError: an attribute that the source does not have; no images; several processes, and not for training.
      RuntimeError: from the iterator, more than ``max_corrupt`` corrupt images.
    """
    if not len(dataset):
        raise ValueError("the data set has no images")
    if process_count > 1 and not train:
        raise ValueError("one pass over a data set is not shared: every process reads all of it")
    indices = grain.MapDataset.range(len(dataset)).seed(seed)
    load = _Load(dataset, names, image_size)
    if train:
        faces = indices.shuffle().map(load).random_map(_random_flip)
        faces = (faces.random_map(_RandomLight(light)) if light else faces).repeat()
        faces = _Share(faces, batch_size, process_index, process_count, min(max_corrupt + 1, len(dataset)))
    else:
        faces = indices.map(load).map(_as_read)
    reading = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(16, 4 * batch_size))
    counted = _CountCorrupt(faces.to_iter_dataset(reading), len(dataset), max_corrupt, process_count)
    return iter(counted.batch(batch_size))


def corrupt_images(batches: grain.DatasetIterator) -> list[str]:
    """Name and reason of every corrupt image that an iterator of ``face_batches`` has skipped so far."""
    return list(batches.get_state()["corrupt"].values())
