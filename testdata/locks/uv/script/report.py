# /// script
# requires-python = ">=3.9"
# dependencies = [
#   "rich>=13",
#   "numpy; sys_platform != 'win32'",
#   "requests[socks]<3",
#   "importlib-metadata; python_version < '3.10'",
# ]
# ///
import rich

rich.print("report")
