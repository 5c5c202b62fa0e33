"""A backend that never ends by itself: its child `sleep 86397` tells a test that the build stage was reached."""

import subprocess


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    subprocess.run(["sleep", "86397"], check=True)
    raise RuntimeError("unreachable")
