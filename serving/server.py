"""The server's entry for containers and service managers: the same as `timbre serve`, all settings from TIMBRE_*."""

import sys

from timbre.cli.main import main

if __name__ == "__main__":
    main(["serve", *sys.argv[1:]])
