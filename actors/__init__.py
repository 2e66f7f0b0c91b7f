"""The actors: one room per owner, each a plain class until Ray runs it."""
