"""`python -m catalens.cli`, the same as `catalens`."""

from catalens.cli.app import main

main()
