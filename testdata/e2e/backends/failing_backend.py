"""A backend that fails, with something telling at the end of a long output."""


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    for number in range(200):
        print("compiling part %d" % number)
    raise RuntimeError("the frobnicator is not installed")
