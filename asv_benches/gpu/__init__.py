"""What `gpu_report.py` measures."""
