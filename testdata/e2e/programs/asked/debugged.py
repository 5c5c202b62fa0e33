"""What the debugger is started with."""

from asked.sources import stop

stop()
