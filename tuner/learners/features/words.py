"""Visual words (Csurka et al. 2004): local descriptors, each as the word next to it, counted."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import MiniBatchKMeans, kmeans_plusplus

from tuner.datasets.base import Features
from tuner.learners.base import Device
from tuner.learners.features.descriptors import VALUES, describe, places
from tuner.learners.features.gradients import Floats32, chunks
from tuner.learners.fits import TimedOutError, UnsuitableDataError

_LEARNT_FROM = 50_000
"""Descriptors that a codebook is learnt from, or 20 a word where that is more."""

_A_BATCH = 1_024
"""Descriptors a step of k-means, or 3 a word where that is more."""

_PASSES = 5
"""Times that k-means sees each of them."""


def learn_codebook(x: Features, words: int, seed: int, device: Device) -> Floats32:
    """Returns the centres of the descriptors' clusters, shape (words, values).

    They are found by k-means in small batches (Sculley 2010), from k-means++.

    Args:
        x: The training part's images, in spreads of their pixels.
        words: Size of the codebook.
        seed: Of everything random.
        device: Whose deadline counts.

    Raises:
        UnsuitableDataError: There are fewer descriptors than words.
        TimedOutError: The deadline passed.
    """
    each = int(np.prod(places(*x.shape[2:])))
    if len(x) * each < words:
        raise UnsuitableDataError(
            f"{words} words need as many descriptors to be learnt from; {len(x)} images of "
            f"{x.shape[2]} by {x.shape[3]} pixels have {len(x) * each}. Take fewer words, or "
            "more images"
        )
    random = np.random.default_rng(seed)
    enough = max(_LEARNT_FROM, 20 * words)
    chosen = x[random.permutation(len(x))[: -(-enough // each)]]
    found = np.concatenate([describe(chosen[some]).reshape(-1, VALUES) for some in chunks(chosen)])
    found = found[random.permutation(len(found))[:enough]]
    batch = max(_A_BATCH, 3 * words)
    start, _ = kmeans_plusplus(found[: 4 * batch], words, random_state=int(random.integers(2**31)))
    kmeans = MiniBatchKMeans(words, init=start, n_init=1, random_state=int(random.integers(2**31)))
    for done in range(_PASSES):
        for first in range(0, len(found), batch):
            if device.expired():
                raise TimedOutError(f"{done} of {_PASSES} passes over the visual words")
            kmeans.partial_fit(found[first : first + batch])
    return np.asarray(kmeans.cluster_centers_, dtype=np.float32)


def count_words(x: Features, codebook: Floats32, *, pyramid: bool) -> Floats32:
    """Returns how often each word occurs in each image.

    Counts are shown by their roots and the row has length 1, so that a product of two
    rows is Hellinger's of the histograms.

    Args:
        x: Shape (n, channels, height, width), in spreads of the training part's pixels.
        codebook: Shape (words, values).
        pyramid: Whether each quarter of the image is counted beside the whole, as in a
            spatial pyramid of two levels (Lazebnik et al. 2006).

    Returns:
        Shape (n, words), or of a pyramid (n, 5 x words).
    """
    words = len(codebook)
    down, across = (np.arange(n) * 2 // n for n in places(*x.shape[2:]))
    quarter = (down[:, None] * 2 + across).ravel()
    # The nearest by |d - w|² = |d|² - 2dw + |w|², of which the first part is the same for all.
    half = np.sum(codebook * codebook, axis=1) / 2
    counts = np.empty((len(x), 4, words), dtype=np.float32)
    for some in chunks(x):
        found = describe(x[some])
        nearest = np.argmax(found.reshape(-1, VALUES) @ codebook.T - half, axis=1)
        cell = (np.arange(len(found))[:, None] * 4 + quarter).ravel()
        size = len(found) * 4 * words
        counts[some] = np.bincount(cell * words + nearest, minlength=size).reshape(-1, 4, words)
    whole = counts.sum(axis=1)
    roots = np.sqrt(np.hstack([whole, counts.reshape(len(x), -1)]) if pyramid else whole)
    return roots / np.sqrt(np.sum(roots * roots, axis=1, keepdims=True))
