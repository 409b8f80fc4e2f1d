"""`python -m monitor` and the `parcelwatch` command."""

from monitor.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
