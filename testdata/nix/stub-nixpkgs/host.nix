# What the stub says of the machine that it runs on; tests/nix/conftest.py writes it anew from the host's /usr/bin/python3.
{
  pythonVersion = "3.11.2";
  libc = "glibc";
  libcVersion = "2.36";
}
