"""Market data: where candles come from, checked, on one grid and in order."""
