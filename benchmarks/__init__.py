"""This project beside vectorbt and backtesting.py, on one file of candles, in one run: `make bench`."""
