"""Regenerate network.json: losses and gradients of small networks, by PyTorch's automatic differentiation (float64).

Run with: pip install torch==2.14.1; python generate_network.py [OUTDIR]
The data and parameters are the formulas in `inputs`, which the test repeats; parameters are in PyTorch's order: for
each layer the weight, row by row, then the bias.
"""

import itertools
import json
import pathlib
import sys

import numpy as np
import torch

SAMPLES, SIZES = 6, (3, 4, 2, 3)
ACTIVATIONS = {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "identity": torch.nn.Identity}
CASES = [
    (a, loss, "identity", bias) for a in ACTIVATIONS for loss in ("mse", "cross_entropy") for bias in (True, False)
]
CASES += [(a, "mse", a, True) for a in ("sigmoid", "tanh")]


def inputs(dim):
    table = np.cos(np.arange(SAMPLES * SIZES[0]) * 1.7).reshape(SAMPLES, SIZES[0])
    targets = np.sin(np.arange(SAMPLES * SIZES[-1]) * 0.9).reshape(SAMPLES, SIZES[-1])
    return table, targets, np.arange(SAMPLES) % SIZES[-1], np.sin(np.arange(dim) * 1.3 + 0.2)


def network(activation, output, bias):
    layers = []
    for k, (n, m) in enumerate(itertools.pairwise(SIZES)):
        last = k == len(SIZES) - 2
        layers += [torch.nn.Linear(n, m, bias=bias, dtype=torch.float64), ACTIVATIONS[output if last else activation]()]
    return torch.nn.Sequential(*layers)


def result(activation, loss, output, bias):
    model = network(activation, output, bias)
    parameters = list(model.parameters())
    dim = sum(p.numel() for p in parameters)
    table, targets, labels, x = inputs(dim)
    torch.nn.utils.vector_to_parameters(torch.tensor(x), parameters)
    outputs = model(torch.tensor(table))
    if loss == "mse":
        value = torch.nn.functional.mse_loss(outputs, torch.tensor(targets))
    else:
        value = torch.nn.functional.cross_entropy(outputs, torch.tensor(labels))
    value.backward()
    gradient = torch.cat([p.grad.reshape(-1) for p in parameters])
    return {
        "activation": activation, "loss": loss, "output": output, "bias": bias, "value": value.item(),
        "gradient": gradient.tolist(), "outputs": outputs.detach().numpy().ravel().tolist(),
    }  # fmt: skip


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    found = {"source": f"PyTorch {torch.__version__}", "cases": [result(*case) for case in CASES]}
    (folder / "network.json").write_text(json.dumps(found, indent=1) + "\n")
