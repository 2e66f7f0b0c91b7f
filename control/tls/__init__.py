"""TLS: the certificates that a server shows, checked before use, and a way to make some for development."""
