"""The benchmarks: what this project costs, beside what others cost, measured on this machine in one run."""
