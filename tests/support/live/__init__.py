"""A live engine in one process: real actors, SQLite and ccxt; its lives end where a test says."""
