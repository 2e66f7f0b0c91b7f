"""Sweeps: many simulations of the same candles on Ray, the best of them, and how much of it is luck."""
