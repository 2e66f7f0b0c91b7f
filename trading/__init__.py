"""The rules of trading: a pure core that knows no Ray, no network and no clock."""

__version__ = "0.1.0"
