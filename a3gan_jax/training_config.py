"""Typed settings of a training step: what a loss weighs and how the networks learn. Plain, frozen values.

All defaults are our own choice, found by training at 64 pixels.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the losses, and their shapes. See ``losses`` for what each one is."""

    adversarial_kind: str = "non_saturating"  # non_saturating (with lazy R1) | wgan_gp
    gradient_penalty: float = 0.05  # weight of R1, or of WGAN-GP's penalty (there 10 is usual)
    gradient_penalty_local: float = 1.0  # the local scores are multiplied by this in it
    gradient_penalty_every: int = 8  # steps between R1 penalties, each counting as many times; 1 for WGAN-GP

    adversarial: float = 2.0
    adversarial_local: float = 1.5  # of the parts of the face
    judge_pasted: bool = False  # discriminator and recognisers see the third pass as a photo shows it
    attribute: float = 2.0
    kept_attribute: float = 4.5  # weight of an attribute that must stay, against one that may change
    attribute_discriminator: float = 1.0
    reconstruction: float = 24.0
    background: float = 10.0
    low_frequency: float = 4.0
    low_frequency_cells: int = 8
    chroma: float = 8.0
    chroma_cells: int = 16
    structure: float = 0.0  # of eyes and mouth
    structure_cells: int = 32
    landmarks: float = 0.0  # eyes, nose and corners of the mouth as YuNet sees them, in shares of the side
    landmarks_tolerance: float = 0.02
    feature_matching: float = 0.9
    feature_matching_sides: tuple[int, ...] = (8, 4)  # of the discriminator's features, in pixels
    gate_floor: float = 8.0
    gate_floors: tuple[float, ...] = (0.0, 0.5, 1.0)  # inside the face, deepest first; the last serves the rest

    identity: float = 4.0
    identity_margin: float = 0.1
    identity_images: int = 4  # of a batch that the frozen recognisers see, each under two seeds; 0 = all
    identity_grey: float = 0.7  # share of its colour that a face may lose before the frozen recognisers see it
    identity_critic: float = 2.5
    identity_critic_guesses: float = 2.0  # times chance that the critic may still do
    diversity: float = 1.5
    diversity_margin: float = 0.3
    pseudonym: float = 0.5
    pseudonym_cosine: float = 0.5

    identity_ramp_steps: int = (
        3000  # over which the four losses above grow to their weights, after the critic's warm-up
    )

    anonymization: float = 1.0
    anonymization_delta: float = 0.8
    rarity: float = 1.0
    plausibility: float = 0.5

    change_probability: float = 0.6  # of an attribute in a training control
    free_probability: float = 0.3  # of a control in which everything may change
    in_photo_probability: float = 0.0  # of a control in which BEYOND_FACE stays, as in a photo
    reconstruct_probability: float = 0.6  # of strength 0 in the third pass; else it is uniform in [0, 1]


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """Adam for each network; the learning rates fall linearly over the last part of the run."""

    learning_rate: float = 7e-4
    discriminator_learning_rate: float = 7e-4
    critic_learning_rate: float = 5e-4
    critic_warmup_learning_rate: float = 1e-3
    b1: float = 0.5
    b2: float = 0.99
    decay_share: float = 0.2  # of the steps over which the rates fall ...
    decay_to: float = 0.05  # ... to this share
    ema_decay: float = 0.998
    generator_every: int = 1  # discriminator steps to one generator step (WGAN-GP: 5)
    critic_warmup_steps: int = 10_000  # first steps, in which the identity critic learns alone
