# As nixpkgs' source-stdenv.sh: structured attributes first, then the setup, then the phases.
if [ -e "${NIX_ATTRS_SH_FILE:-}" ]; then . "$NIX_ATTRS_SH_FILE"; elif [ -e .attrs.sh ]; then . .attrs.sh; fi
source "$stdenv/setup.sh"
genericBuild
