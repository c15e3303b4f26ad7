"""`python -m logship`."""

from logship.cli import main

if __name__ == "__main__":
    main()
