"""CelebA as TensorFlow Datasets keeps it (``celeb_a``), read without TensorFlow."""

import logging

import numpy as np

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.data.identities import number_people

_log = logging.getLogger(__name__)


class TFDSCelebA:
    """Photos, 40 attributes and people of one split of the TFDS data set ``celeb_a``; a ``FaceDataset``."""

    attribute_names = CELEBA_ATTRIBUTES
    crop = "celeba"

    def __init__(self, root: str, split: str, *, min_photos: int = 1):
        """Opens a prepared data set and goes through it once for the people in it (half a minute for the whole CelebA).

        Args:
          root: the ``data_dir`` of TFDS; "" for its default (TFDS_DATA_DIR, or ~/tensorflow_datasets).
          split: train | validation | test.
          min_photos: people with fewer photos in this split get identity -1; so does everybody before version 2.1.0
            of the data set, which does not name people.

        Raises:
          ValueError: ``celeb_a`` is not prepared there, or in a file format that cannot be read at random.
        """
        import tensorflow_datasets as tfds  # a second to import, and only this source needs it
        from tensorflow_datasets.proto import tf_example_pb2

        builder = tfds.builder("celeb_a", data_dir=root or None)
        try:
            if not builder.is_prepared():
                raise ValueError("it is not prepared")
            # The records as they are: TFDS's own decoding takes ten times as long, most of it for the landmarks.
            self._records = builder.as_data_source(split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
        except (ValueError, NotImplementedError) as error:
            raise ValueError(
                f"TFDS celeb_a cannot be read from {builder.data_dir}: {error}\n"
                "Prepare it, on a machine with TensorFlow, by\n"
                '  tfds.builder("celeb_a", data_dir=..., file_format="array_record").download_and_prepare()\n'
                "or use source celeba on a folder in CelebA's official format."
            ) from error
        self._parse = tf_example_pb2.Example.FromString
        self._split = split
        _log.info("reading the people of %d photos of celeb_a", len(self))
        self.identity, self.people = number_people([self._person(i) for i in range(len(self))], min_photos)

    @property
    def num_people(self) -> int:
        return len(self.people)

    def __len__(self) -> int:
        return len(self._records)

    def _features(self, index: int):
        return self._parse(self._records[index]).features.feature

    def _person(self, index: int) -> int | None:
        person = self._features(index).get("identity/Identity_No")
        return person and person.int64_list.value[0]

    def __getitem__(self, index: int) -> dict:
        features = self._features(index)
        attributes = [features[f"attributes/{name}"].int64_list.value[0] for name in CELEBA_ATTRIBUTES]
        return {
            "name": f"celeb_a/{self._split}/{index:06d}",
            "image": features["image"].bytes_list.value[0],
            "attributes": np.array(attributes, np.uint8),
            "identity": int(self.identity[index]),
        }
