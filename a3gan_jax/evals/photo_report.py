"""What the judgement of many photos comes to: figures over all of them, and each photo's as JSON."""

import collections
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from a3gan_jax.evals.photo_acceptance import PhotoVerdict, Violation

QUANTILES = (0.5, 0.9, 0.99, 1.0)

#: A photo and what is to be said of it; a Violation where there is no result.
Judged = tuple[Path, PhotoVerdict | Violation]


def summary(verdicts: Sequence[Judged]) -> dict[str, Any]:
    """What came out, over all photos; shares and cosines are null without a face."""
    judged = [verdict for _, verdict in verdicts if isinstance(verdict, PhotoVerdict)]
    faces = [face for verdict in judged for face in verdict.faces]
    boxes = [box for verdict in judged for box in verdict.boxes]
    found = [box for box in boxes if box.found]
    cosines = {
        outcome: [face.comparison.cosine for face in faces if face.outcome == outcome]
        for outcome in ("anonymised", "covered")
    }
    return {
        "photos": len(verdicts),
        "photos without a face": sum(not verdict.faces for verdict in judged),
        "faces": len(faces),
        "outcomes": dict(collections.Counter(face.outcome or "none" for face in faces)),
        "covered because": dict(collections.Counter(face.reason for face in faces if face.outcome == "covered")),
        "cosine of replaced faces": _quantiles(cosines["anonymised"]),
        "cosine of covered faces": _quantiles(cosines["covered"]),
        "replaced faces found anew": sum(f.outcome == "anonymised" and f.comparison.found_again > 0 for f in faces),
        "least share of a face changed": min((face.comparison.changed for face in faces), default=None),
        "least difference of a face": min((face.comparison.difference for face in faces), default=None),
        "boxes": len(boxes),
        "boxes found": len(found),
        "least share of a found box's ellipse changed": min((box.ellipse for box in found), default=None),
        "least share of a found box changed": min((box.whole for box in found), default=None),
        "pixels changed outside every mask": sum(verdict.outside for verdict in judged),
        "pixels changed outside boxes of twice the sides": sum(verdict.far for verdict in judged),
        "violations": dict(collections.Counter(violation.kind for _, violation in violations(verdicts))),
    }


def violations(verdicts: Sequence[Judged]) -> list[tuple[Path, Violation]]:
    return [
        (path, violation)
        for path, verdict in verdicts
        for violation in ([verdict] if isinstance(verdict, Violation) else verdict.violations)
    ]


def _quantiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {
        f"{share:.0%}": float(value) for share, value in zip(QUANTILES, np.quantile(values, QUANTILES), strict=True)
    }


def as_json(path: Path, verdict: PhotoVerdict | Violation) -> dict[str, Any]:
    """A photo's figures; no embedding, which would tell who it was."""
    if isinstance(verdict, Violation):
        return {"file": path.as_posix(), "violations": [vars(verdict)]}
    return {
        "file": path.as_posix(),
        "faces": [
            {
                "box": np.asarray(face.face.box, float).tolist(),
                "score": float(face.face.score),
                "outcome": face.outcome,
                "reason": face.reason,
                "changed": face.comparison.changed,
                "difference": face.comparison.difference,
                "cosine": face.comparison.cosine,
                "found_again": face.comparison.found_again,
            }
            for face in verdict.faces
        ],
        "boxes": [vars(box) | {"box": box.box.tolist()} for box in verdict.boxes],
        "outside": verdict.outside,
        "far": verdict.far,
        "violations": [vars(violation) for violation in verdict.violations],
    }
