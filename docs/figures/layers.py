"""Draw docs/_static/layer-gradients.png: the gradients of eight layers while they learn, by activation and loss.

python docs/figures/layers.py [STARTS] [FILE]

Seven hidden layers of 10 nodes on the iris data, full batch, Xavier's initializer (He's for relu).  With the squared
error the outputs are sigmoids, with cross-entropy they have their softmax.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import fastgd as gd

EVERY, STEPS = 20, 600


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    file = Path(sys.argv[2] if len(sys.argv) > 2 else Path(__file__).parent.parent / "_static" / "layer-gradients.png")
    X, y = gd.datasets.iris()
    norms = {}
    for activation, method in (("sigmoid", "xavier"), ("tanh", "xavier"), ("relu", "he")):
        for loss, output, words in (
            ("mse", "sigmoid", "squared error"),
            ("cross_entropy", "identity", "cross-entropy"),
        ):
            network = gd.problems.mlp(X, y, hidden=(10,) * 7, activation=activation, loss=loss, output=output)
            start = network.sample(count, seed=0, method=method)
            runs = gd.minimize(network, start, gd.GradientDescent(lr=0.1), gtol=None, max_steps=STEPS, record=EVERY)
            norms[f"{activation}, {words}"] = gd.layer_gradients(network, runs.trace)
            print(f"{activation}, {words}: accuracy {np.median(network.accuracy(runs.x, X, y)):.2f}")
    gd.plot.layer_gradients(norms, np.arange(0, STEPS + 1, EVERY), out=file)


if __name__ == "__main__":
    main()
