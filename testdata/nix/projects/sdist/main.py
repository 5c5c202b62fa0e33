"""An application that needs a distribution of which there is only the source."""

import oldstyle

print("sdist", oldstyle.WORD)
