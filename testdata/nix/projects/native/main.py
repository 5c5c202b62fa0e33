"""An application that needs a compiled library."""

import fastsum

print("native", fastsum.add(20, 22))
