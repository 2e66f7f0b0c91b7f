"""Execution: where orders go out, on paper or to an exchange."""
