"""The operator console, and the client library that it shares with the shell commands.

Knows the wire contract (`autotrader.v1`) and nothing else of ours: it starts without Ray, ccxt and numba.
"""
