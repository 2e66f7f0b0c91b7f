"""Simulations of the past: the trading core driven by candle files in one process."""
