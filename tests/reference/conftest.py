"""Regenerating the files needs PyTorch and Optax; testing against them does not."""

collect_ignore = ["generate.py", "generate_network.py", "generate_variants.py"]
