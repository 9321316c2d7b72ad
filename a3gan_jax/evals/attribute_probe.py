"""CelebA's attributes read from the features of a network that no generator was trained with."""

import numpy as np

from a3gan_jax.evals.group_folds import best_threshold

PENALTIES = (1e1, 1e2, 1e3, 1e4, 1e5)  # of the squared weights, against a sum of squared errors


class AttributeProbe:
    """Ridge regression (Hoerl and Kennard 1970) of K attributes on features (N, D), standardised.

    The penalty is the one with the smallest error where each face is told from all others, and an attribute counts as
    seen from the score that then has the highest balanced accuracy: a rare one is not overlooked for being rare.

    Args:
        features: (N, D) to learn from, finite.
        attributes: (N, K) in {0, 1}, each with both.
    """

    def __init__(self, features: np.ndarray, attributes: np.ndarray):
        features, truth = features.astype(np.float64), attributes.astype(bool)
        self._mean, self._scale = features.mean(0), features.std(0)
        self._scale[self._scale == 0] = 1.0
        left, values, right = np.linalg.svd((features - self._mean) / self._scale, full_matrices=False)
        self._offset = truth.mean(0)
        target = truth - self._offset
        known, error = left.T @ target, np.inf
        for penalty in PENALTIES:
            shrunk = values**2 / (values**2 + penalty)
            own = (left**2 @ shrunk + 1 / len(truth)).clip(max=0.999)[:, None]  # of a face in its own prediction
            left_out = (target - left @ (shrunk[:, None] * known)) / (1 - own)
            if (mean := float((left_out**2).mean())) < error:
                error, scores = mean, truth - left_out
                self._weights = right.T @ ((values / (values**2 + penalty))[:, None] * known)
        self._threshold = np.array([best_threshold(*pair) for pair in zip(scores.T, truth.T, strict=True)])

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(N, K) in {0, 1}: the attributes that are seen; rows of nan where a feature (N, D) is nan."""
        scores = (features.astype(np.float64) - self._mean) / self._scale @ self._weights + self._offset
        return np.where(np.isnan(scores), np.nan, scores >= self._threshold)
