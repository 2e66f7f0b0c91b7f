"""Backtests and sweeps that are started over the control plane, each in a process of its own."""
