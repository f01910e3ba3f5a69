"""`python -m gateway.client`: the command `hoopweb`, where it is not installed as one. What it does is `app`'s."""

import sys

from gateway.client.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
