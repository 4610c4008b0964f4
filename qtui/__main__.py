"""`python -m qtui`."""

from __future__ import annotations

import sys

from qtui.entry import main

if __name__ == "__main__":
    sys.exit(main())
