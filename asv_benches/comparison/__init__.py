"""The parts of the comparison: what is measured against what, how, and how it is shown."""
