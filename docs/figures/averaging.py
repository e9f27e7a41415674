"""Print how weight averaging compares with the end point, on held-out digits.

python docs/figures/averaging.py [SEEDS]

A network with one hidden layer of 16 tanh units, batches of 4, momentum 0.9, 3,000 steps from Xavier's initializer, the
average from step 1,500 on.  1,297 digits to train, 500 held out.
"""

from __future__ import annotations

import sys

import numpy as np

import fastgd as gd


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    X, y = gd.datasets.digits(standardize=False)
    order = np.random.default_rng(0).permutation(len(X))
    train, held_out = order[500:], order[:500]
    table, others = (gd.datasets.standardized(X[part], like=X[train]) for part in (train, held_out))
    network = gd.problems.mlp(table, y[train], hidden=(16,))
    test = gd.problems.mlp(others, y[held_out], hidden=(16,))
    start = network.sample(count, seed=1)
    print("| lr | held-out loss, end | average | held-out accuracy, end | average |")
    print("| --- | --- | --- | --- | --- |")
    for lr in (0.003, 0.01, 0.03, 0.06):
        runs = gd.minimize(
            network,
            start,
            gd.Momentum(lr=lr, momentum=0.9),
            batch_size=4,
            max_steps=3000,
            gtol=None,
            average=gd.SWA(1500),
        )
        values = [test.value(x).mean() for x in (runs.x, runs.x_avg)]
        shares = [test.accuracy(x, others, y[held_out]).mean() for x in (runs.x, runs.x_avg)]
        print(f"| {lr} | {values[0]:.3f} | {values[1]:.3f} | {shares[0]:.1%} | {shares[1]:.1%} |", flush=True)


if __name__ == "__main__":
    main()
