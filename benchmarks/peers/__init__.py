"""Other libraries as measured processes; they run in an environment of their own."""
