"""`python -m cli` is `autotrader`."""

from cli.main import main

main()
