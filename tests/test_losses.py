"""Every loss against a value computed by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax import losses

LOG2 = float(np.log(2))


def _images(*values, size=4):
    """One constant image a value."""
    return jnp.stack([jnp.full((size, size, 3), v, jnp.float32) for v in values])


def test_weighted_mean():
    values = jnp.array([[1.0, 3.0], [10.0, 10.0]])
    assert losses.weighted_mean(values) == 6.0
    assert losses.weighted_mean(values, jnp.array([3.0, 1.0])) == 4.0
    assert losses.weighted_mean(values, jnp.zeros(2)) == 0.0


def test_adversarial():
    fake, real = jnp.array([0.0, 0.0]), jnp.array([0.0])
    assert losses.generator_adversarial("non_saturating", fake) == pytest.approx(LOG2)
    assert losses.discriminator_adversarial("non_saturating", real, fake) == pytest.approx(2 * LOG2)
    fake = jnp.array([1.0, 5.0])
    assert losses.generator_adversarial("wgan_gp", fake) == -3.0
    # The second fake does not count: 1 - 2.
    assert losses.discriminator_adversarial("wgan_gp", jnp.array([2.0]), fake, jnp.array([1.0, 0.0])) == -1.0
    with pytest.raises(ValueError, match="'lsgan' is not known; choose one of non_saturating, wgan_gp"):
        losses.generator_adversarial("lsgan", fake)


def test_gradient_penalty_of_a_linear_score():
    w = jnp.arange(48.0).reshape(4, 4, 3) / 100
    real, fake = _images(0.3, 0.5), _images(-0.2, 0.1)

    def score(x):
        return (x * w).sum((1, 2, 3))

    expected = (np.linalg.norm(w) - 1.0) ** 2  # the gradient is w everywhere
    assert losses.gradient_penalty(score, real, fake, jax.random.key(0)) == pytest.approx(expected, rel=1e-5)
    assert losses.r1_penalty(score, real) == pytest.approx(0.5 * np.linalg.norm(w) ** 2, rel=1e-5)


def test_gradient_penalty_of_a_quadratic_score_is_taken_between_real_and_fake():
    real, fake = _images(1.0), _images(0.0)

    def score(x):
        return (x**2).sum((1, 2, 3))

    # At t in (0, 1) between them the gradient's norm is 2 t sqrt(48).
    t = jax.random.uniform(jax.random.key(3), (1, 1, 1, 1)).item()
    expected = (2 * (1 + t * (0 - 1)) * np.sqrt(48) - 1) ** 2
    assert losses.gradient_penalty(score, real, fake, jax.random.key(3)) == pytest.approx(expected, rel=1e-5)
    assert losses.r1_penalty(score, real) == pytest.approx(0.5 * 4 * 48, rel=1e-5)


def test_gradient_penalty_has_a_finite_gradient_at_a_flat_score():
    def penalty(a):
        return losses.gradient_penalty(lambda x: a * x.sum((1, 2, 3)), _images(0.1), _images(0.2), jax.random.key(0))

    assert jnp.isfinite(jax.grad(penalty)(0.0))


def test_attribute():
    logits, target = jnp.array([[0.0, 0.0], [np.log(3.0), 0.0]]), jnp.array([[1.0, 0.0], [1.0, 0.0]])
    per_example = [LOG2, (np.log(4 / 3) + LOG2) / 2]
    assert losses.attribute(logits, target) == pytest.approx(np.mean(per_example))
    weights = jnp.array([[0.0, 0.0], [3.0, 1.0]])
    assert losses.attribute(logits, target, weights) == pytest.approx((3 * np.log(4 / 3) + LOG2) / 4)


def test_l1_and_background():
    images, target = _images(0.5, 1.0), _images(0.0, 0.0)
    assert losses.l1(images, target) == 0.75
    assert losses.l1(images, target, jnp.array([1.0, 0.0])) == 0.5
    head = jnp.zeros((4, 4, 1)).at[:, :3].set(1.0)  # a quarter is background
    assert losses.background(images, target, head) == pytest.approx(0.75 / 4)


def test_low_frequency_sees_cells_and_not_what_is_inside():
    stripes = jnp.tile(jnp.array([1.0, -1.0]), 2)[None, None, :, None] * jnp.ones((1, 4, 4, 3))
    assert losses.low_frequency(stripes, jnp.zeros_like(stripes), 2) == 0.0
    assert losses.low_frequency(stripes, jnp.zeros_like(stripes), 4) == 1.0


def test_chroma_ignores_brightness():
    grey, red = _images(0.6), jnp.zeros((1, 4, 4, 3)).at[..., 0].set(0.9)
    assert losses.chroma(grey, jnp.zeros_like(grey), 2) == pytest.approx(0.0, abs=1e-7)
    assert losses.chroma(red, jnp.zeros_like(red), 2) == pytest.approx((0.6 + 0.3 + 0.3) / 3)


def test_structure_sees_the_form_and_neither_light_nor_contrast():
    image = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3))
    whole, kept = jnp.ones((1, 8, 8)), jnp.ones((2, 1))
    assert losses.structure(0.5 * image - 0.2, image, whole, kept) == pytest.approx(0.0, abs=1e-5)
    assert losses.structure(-image, image, whole, kept) == pytest.approx(2.0, abs=1e-5)
    assert losses.structure(jnp.zeros_like(image), image, whole, kept) == pytest.approx(1.0)
    # A part is a cell average: what is inside a cell has no form.
    checkers = jnp.indices((8, 8)).sum(0)[None, ..., None] % 2 * jnp.ones((2, 8, 8, 3))
    assert losses.structure(0.5 * checkers, image, jnp.ones((1, 4, 4)), kept) == pytest.approx(1.0, abs=1e-3)


def test_structure_asks_for_nothing_outside_the_parts_and_where_a_part_may_change():
    image, target = jax.random.uniform(jax.random.key(0), (2, 2, 8, 8, 3))
    regions = jnp.zeros((2, 8, 8)).at[0, :4].set(1.0).at[1, 6:].set(1.0)  # a part above, one below, two rows between
    gradient = jax.grad(losses.structure)(image, target, regions, jnp.array([[1.0, 0.0], [0.0, 1.0]]))
    assert jnp.abs(gradient[0, :4]).min() > 0 and jnp.abs(gradient[1, 6:]).min() > 0
    np.testing.assert_array_equal(gradient[0, 4:], 0)
    np.testing.assert_array_equal(gradient[1, :6], 0)
    assert losses.structure(image, target, regions, jnp.zeros((2, 2))) == 0.0


def test_landmarks_are_free_to_move_a_little():
    target = jnp.zeros((1, 2, 2, 2))  # two sightings of two points
    points = target.at[0, 0, 0].set(jnp.array([0.3, 0.4])).at[0, 1, 1].set(jnp.array([0.0, 0.1]))
    assert losses.landmarks(points, target, jnp.array([[1.0, 0.0]]), 0.2) == pytest.approx(0.3 / 2)
    assert losses.landmarks(points, target, jnp.array([[0.25, 0.75]]), 0.0) == pytest.approx(
        (0.25 * 0.5 + 0.75 * 0.1) / 2, abs=1e-5
    )
    assert jnp.isfinite(jax.grad(lambda p: losses.landmarks(p, target, jnp.ones((1, 2)) / 2, 0.0))(target)).all()


def test_feature_matching_is_relative_and_leaves_the_target_alone():
    feature, target = jnp.full((1, 2, 2, 4), 3.0), jnp.full((1, 2, 2, 4), -2.0)
    assert losses.feature_matching([feature, target], [target, target]) == pytest.approx(5 / 2)
    gradient = jax.grad(lambda t: losses.feature_matching([feature], [t]))(target)
    np.testing.assert_array_equal(gradient, 0)


def test_identity_diversity_and_pseudonym_are_hinges():
    cosine = jnp.array([0.9, 0.1])
    assert losses.identity(cosine, 0.3) == pytest.approx(0.3)
    assert losses.diversity(cosine, 0.5) == pytest.approx(0.2)
    assert losses.pseudonym(cosine, 0.5) == pytest.approx(0.2)
    assert losses.pseudonym(cosine, 0.5, jnp.array([0.0, 1.0])) == pytest.approx(0.4)


def test_identity_critic_skips_the_unknown():
    logits = jnp.array([[0.0, 0.0], [5.0, 0.0]])
    assert losses.identity_critic(logits, jnp.array([1, -1])) == pytest.approx(LOG2)
    assert losses.identity_critic(logits, jnp.array([-1, -1])) == 0.0


def test_identity_leak_ends_at_chance_and_grows_with_strength():
    people = 8
    uniform, certain = jnp.zeros((1, people)), jnp.full((1, people), -50.0).at[0, 2].set(50.0)
    who, one = jnp.array([2]), jnp.ones(1)
    assert losses.identity_leak(uniform, who, one, 1.0) == pytest.approx(0.0, abs=1e-6)
    assert losses.identity_leak(certain, who, one, 2.0) == pytest.approx(np.log(people / 2))
    assert losses.identity_leak(certain, who, 0.5 * one, 2.0) == pytest.approx(0.5 * np.log(people / 2))
    assert losses.identity_leak(certain, who, 0 * one, 2.0) == 0.0
    assert losses.identity_leak(certain, jnp.array([-1]), one, 2.0) == 0.0


def test_anonymization_counts_only_what_may_change():
    probabilities, attributes = jnp.array([[0.5, 0.9, 0.0]]), jnp.array([[0.0, 0.0, 0.0]])
    change = jnp.array([[1.0, 1.0, 0.0]])
    assert losses.anonymization(probabilities, attributes, change, 0.8) == pytest.approx(0.3 / 2)
    assert losses.anonymization(probabilities, attributes, 0 * change, 0.8) == 0.0


def test_rarity_is_zero_inside_the_distribution():
    mean, covariance = jnp.array([0.5, 0.5]), 0.24 * jnp.eye(2)  # and the ridge of 0.01
    assert losses.rarity(jnp.array([[0.9, 0.5]]), mean, covariance) == 0.0
    expected = (2 * 1.5**2 / 0.25) / 2 - 1
    assert losses.rarity(jnp.array([[2.0, -1.0]]), mean, covariance) == pytest.approx(expected, rel=1e-5)


def test_gate_floor_by_level_and_region():
    gates = [jnp.full((2, 2, 2, 3), 0.5), jnp.full((2, 4, 4, 1), 0.9)]
    regions = [jnp.ones((2, 2, 1)), jnp.zeros((4, 4, 1)).at[1, 1].set(1.0)]
    assert losses.gate_floor(gates, (0.7, 1.0), regions) == pytest.approx(0.2 + 0.1)
    assert losses.gate_floor(gates, (0.0, 0.0), regions) == 0.0
    outside = jax.grad(lambda g: losses.gate_floor([g], (1.0,), [regions[1]]))(gates[1])
    assert jnp.abs(outside[:, 1, 1]).min() > 0 and jnp.abs(outside.at[:, 1, 1].set(0.0)).max() == 0
