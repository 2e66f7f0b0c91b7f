"""This project's own engines as measured processes."""
