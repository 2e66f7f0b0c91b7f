"""The one writer: the journal, the tables made from it, and their migrations."""
