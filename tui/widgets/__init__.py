"""Widgets: they take view data and emit messages."""
