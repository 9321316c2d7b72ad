"""The layouts of public weights that we read, by name."""

from collections.abc import Mapping

from a3gan_jax.convert.layouts.arcface import ARCFACE
from a3gan_jax.convert.layouts.attgan import ATTGAN, ATTGAN_DISCRIMINATOR
from a3gan_jax.convert.layouts.errors import LayoutError
from a3gan_jax.convert.layouts.facenet import FACENET
from a3gan_jax.convert.layouts.mtcnn import MTCNN_ONET, MTCNN_PNET, MTCNN_RNET
from a3gan_jax.convert.layouts.sface import SFACE
from a3gan_jax.convert.layouts.stgan import STGAN, STGAN_DISCRIMINATOR
from a3gan_jax.convert.layouts.table import Layout, apply_layout, build, entries, skeleton, state_dict, state_dict_of

LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout
    for layout in (
        ATTGAN,
        ATTGAN_DISCRIMINATOR,
        STGAN,
        STGAN_DISCRIMINATOR,
        ARCFACE,
        FACENET,
        MTCNN_PNET,
        MTCNN_RNET,
        MTCNN_ONET,
        SFACE,
    )
}

__all__ = [
    "LAYOUTS",
    "Layout",
    "LayoutError",
    "apply_layout",
    "build",
    "entries",
    "skeleton",
    "state_dict",
    "state_dict_of",
]
