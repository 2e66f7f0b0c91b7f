"""The control plane and the console on a running engine, against what they must reach."""
