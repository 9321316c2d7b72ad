"""Attributes planted in features, and features that know nothing of them."""

import numpy as np

from a3gan_jax.evals.attribute_probe import AttributeProbe

RANDOM = np.random.default_rng(0)
DIRECTION = RANDOM.normal(size=(20, 2))


def test_planted_attributes_are_seen_on_other_faces_a_rare_one_too():
    features = RANDOM.normal(3, 2, (1500, 20))
    scores = (features - 3) @ DIRECTION
    often, rarely = np.quantile(scores[:, 0], 0.5), np.quantile(scores[:, 1], 0.95)
    attributes = (scores > [often, rarely]).astype(np.uint8)
    seen = AttributeProbe(features[:1000], attributes[:1000])(features[1000:])
    for column in range(2):
        truth = attributes[1000:, column] == 1
        assert (seen[truth, column] == 1).mean() > 0.8
        assert (seen[~truth, column] == 0).mean() > 0.8


def test_what_is_not_in_the_features_is_guessed():
    features, attributes = RANDOM.normal(size=(120, 300)), RANDOM.integers(0, 2, (120, 1))
    seen = AttributeProbe(features[:60], attributes[:60])(features[60:])  # fewer faces than features
    assert 0.25 < (seen == attributes[60:]).mean() < 0.75


def test_a_face_without_features_has_no_attributes():
    features = RANDOM.normal(size=(50, 4))
    features[:, 3] = 1.0  # of no use, and no division by its spread
    probe = AttributeProbe(features, (features[:, :1] > 0))
    seen = probe(np.vstack([features[:1], np.full((1, 4), np.nan)]))
    assert np.isfinite(seen[0]).all() and np.isnan(seen[1]).all()
