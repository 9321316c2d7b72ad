"""Cross-validation in which near copies never sit on both sides, and the measures of a yes-or-no classifier."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

FOLDS = 5
PENALTY = 1.0  # of the squared weights, against a sum of losses: scikit-learn's default strength, our own choice


def group_folds(groups: np.ndarray, folds: int = FOLDS) -> np.ndarray:
    """(N,) int: the fold of each case, at most ``folds``; the cases of one group (N,) share a fold.

    The largest group first, each to the fold with the fewest cases. Raises ValueError where there is one group only.
    """
    names, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ValueError("a test on other groups needs two groups at least")
    filled, fold = np.zeros(min(folds, len(names)), int), np.empty(len(names), int)
    for group in np.argsort(-sizes, kind="stable"):
        fold[group] = filled.argmin()
        filled[fold[group]] += sizes[group]
    return fold[member]


def best_threshold(score: np.ndarray, truth: np.ndarray) -> float:
    """The threshold (score >= it: yes) of the highest balanced accuracy, midway between two scores (N,)."""
    order = np.argsort(score, kind="stable")
    score, truth = score[order], truth[order]
    no_below, yes_below = np.cumsum(~truth)[:-1], np.cumsum(truth)[:-1]
    value = no_below / (~truth).sum() + 1 - yes_below / truth.sum()
    value[score[1:] == score[:-1]] = -1  # nothing lies between equal scores
    cut = value.argmax()
    return float(score[cut : cut + 2].mean())


class LogisticRegression:
    """Probability of a yes from features (N, D), standardised, with an L2 penalty on the weights (Cox 1958).

    Args:
        features: to learn from, finite.
        truth: (N,) bool, with both answers, which weigh the same in sum: no class wins by being frequent.
    """

    def __init__(self, features: np.ndarray, truth: np.ndarray):
        self._mean, self._scale = features.mean(0), features.std(0)
        self._scale[self._scale == 0] = 1.0
        inputs, sign = self._standardise(features), np.where(truth, 1.0, -1.0)
        weight = len(truth) / 2 / np.where(truth, truth.sum(), (~truth).sum())

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            margin = sign * (inputs @ parameters)
            slope = -weight * sign * expit(-margin)
            kept = np.append(parameters[:-1], 0.0)  # the last is the offset
            return float(
                weight @ np.logaddexp(0, -margin) + PENALTY / 2 * kept @ kept
            ), inputs.T @ slope + PENALTY * kept

        self._parameters = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B").x

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Log odds (N,); at least 0 means yes. nan where a feature is nan."""
        return self._standardise(features) @ self._parameters

    def _standardise(self, features: np.ndarray) -> np.ndarray:
        return np.column_stack([(features - self._mean) / self._scale, np.ones(len(features))])


def balanced_accuracy(yes: np.ndarray, truth: np.ndarray) -> float:
    """The mean of the shares that are right among each answer (N,) bool; nan where one answer does not occur."""
    if truth.all() or not truth.any():
        return float("nan")
    return float((yes[truth].mean() + (~yes[~truth]).mean()) / 2)
