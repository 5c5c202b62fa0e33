"""An application of one module and nothing else."""

import sys

print("plain", *sys.argv[1:])
