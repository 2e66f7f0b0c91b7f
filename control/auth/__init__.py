"""Who signs in, and how: passwords, tokens, sessions, the owner of the machine."""
