"""The command `autotrader`."""
