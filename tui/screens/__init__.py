"""Screens: what an operator sees, one file each."""
