"""Benchmarks of fastgd for asv: speed beside success rate and steps, so that a faster wrong answer shows."""
