"""What experiments/evaluate.py measures: which tasks on which data, what the headline shows, and in what words."""

from collections.abc import Callable, Sequence

from a3gan_jax.evals.attacks.parrot import Parrot
from a3gan_jax.evals.detection import FaceDetection
from a3gan_jax.evals.expression import Expression
from a3gan_jax.evals.fairness import Fairness
from a3gan_jax.evals.fatigue import Fatigue
from a3gan_jax.evals.figures import Task
from a3gan_jax.evals.identification import Identification
from a3gan_jax.evals.quality import Quality
from a3gan_jax.evals.recognition import Attacker
from a3gan_jax.evals.report_sections import Column
from a3gan_jax.evals.verification import AT_RATE, Verification

#: Option --data.NAME -> (kind of ``evals.data.open``, its tasks, what it is).
DATA: dict[str, tuple[str, tuple[str, ...], str]] = {
    "lfw": (
        "lfw",
        ("verification", "identification", "parrot attack", "detection", "expression", "quality"),
        "folder of Labeled Faces in the Wild with pairs.txt",
    ),
    "celeba": (
        "celeba",
        ("identification", "parrot attack", "detection", "quality"),
        "folder, or several with commas, in CelebA's official format; its test partition is judged",
    ),
    "fairface": ("csv", ("fairness", "detection"), "folder with a CSV: file, gender, age, race"),
    "yawdd": ("csv", ("fatigue", "detection"), "folder with a CSV: file, fatigue (yawn or no_yawn), group"),
    "expression": ("csv", ("expression", "detection"), "folder with a CSV: file, expression, such as RAF-DB or CK+"),
    "wider": ("wider", ("detection",), "folder of WIDER FACE in its official layout"),
    "boxes": ("boxes", ("detection",), "folder with photos and a CSV of the boxes of their faces"),
}
#: Attacks beside the parrot: they ask a method for more than its photos.
SEEDS, INVERSION = "seed attack", "inversion attack"

QUESTIONS = {
    "verification": "Is the person gone? Pairs of photos as in LFW's protocol: an original against an anonymised photo "
    "(probe), two anonymised photos (linkable). Thresholds come from originals of other folds.",
    "identification": "Who is it? Each anonymised photo is searched for among all originals, with its own original "
    "among them (rank) or without it (others/rank).",
    "parrot attack": "An attacker who anonymises photos of the same people himself and learns the results by heart.",
    SEEDS: "An attacker who knows the weights and averages what a recogniser sees under many seeds.",
    INVERSION: "An attacker who trains a network to paint the original back, on other people's photos.",
    "detection": "Is a face still found, where it was? Always detected anew.",
    "expression": "Does the face still show the same expression?",
    "fatigue": "Are yawns and closed eyes still seen?",
    "quality": "How much of the photo is left, how natural are the faces, and which attributes stay?",
    "fairness": "Are some people protected worse than others?",
}

LEAKAGE = Column(
    "taken for the original by an unseen recogniser", None, "identification", "unseen/self/accepted", "lower"
)
UTILITY = Column("same expression", "lfw", "expression", "fer/agreement", "higher")
HEADLINE = (
    LEAKAGE,
    Column(f"probe {AT_RATE}", "lfw", "verification", f"unseen/probe/{AT_RATE}", "lower"),
    Column("linkable, AUC (chance 0.5)", "lfw", "verification", "unseen/linkable/auc", "lower"),
    Column("rank 1", None, "identification", "unseen/rank 1", "lower"),
    Column("parrot rank 1", None, "parrot attack", "unseen/rank 1", "lower"),
    Column("inverted, rank 1", None, INVERSION, "unseen/rank 1", "lower"),
    Column("face found", None, "detection", "yunet/found", "higher"),
    UTILITY,
)


def tasks(recognizers: Sequence[Attacker], trained_against: Sequence[str]) -> dict[str, Task]:
    """All tasks by name."""
    attackers: Sequence[Callable[..., Task]] = (Verification, Identification, Parrot)
    made: list[Task] = [make(recognizers, trained_against) for make in attackers]
    made += [Identification(recognizers, trained_against, name=name) for name in (SEEDS, INVERSION)]
    made += [FaceDetection(), Expression(), Fatigue(), Quality(), Fairness(recognizers)]
    return {task.name: task for task in made}
