"""Seconds and memory of clustering distinct reasons: `python -m benches.near_duplicates [N…]`.

Half of them are of three templates with four words each filled in, half are without any likeness.

No text is repeated, which is the slowest case: what a model repeats word for word is one text.
"""

import random
import resource
import sys
import time

from rationale_rm.analysis.masking import mask
from rationale_rm.analysis.near_duplicates import cluster

TEMPLATES = (
    "Response A {} the {} in step {} and so misses what the user asked about {}.",
    "The answer {} handles {} well but {} is wrong in {}",
    "It is {} and {} with {} about the {}",
)


def reasons(n):
    generator = random.Random(1)
    words = ["".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=generator.randint(4, 11))) for _ in range(3000)]
    for number in range(n):
        if number % 2:
            yield " ".join(generator.choices(words, k=18))
        else:
            yield generator.choice(TEMPLATES).format(*generator.choices(words, k=4))


def main():
    for n in [int(argument) for argument in sys.argv[1:]] or [12_500, 25_000, 50_000, 100_000]:
        texts = list(reasons(n))
        start = time.perf_counter()
        masked = list(dict.fromkeys(map(mask, texts)))
        middle = time.perf_counter()
        clusters = len(set(cluster(masked)))
        end = time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"{n} reasons, {len(masked)} masked, {clusters} clusters: mask {middle - start:.1f} s, cluster "
            f"{end - middle:.1f} s, {peak} MB at the most"
        )


if __name__ == "__main__":
    main()
