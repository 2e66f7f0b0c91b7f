"""The compiled engine: the rules of the core over whole histories at once, equal to it to the last unit."""
