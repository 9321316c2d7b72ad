"""Drawn faces: what a face looks like (:mod:`face`), where its parts lie (:mod:`head`) and how they are painted."""

from a3gan_jax.data.drawing.face import EXPRESSIONS, Face, Person
from a3gan_jax.data.drawing.head import Head
from a3gan_jax.data.drawing.render import render

__all__ = ["EXPRESSIONS", "Face", "Head", "Person", "render"]
