# As nixpkgs' source-stdenv.sh and default-builder.sh: structured attributes first, then the set-up, then the phases.
# shellcheck shell=bash disable=SC1090,SC1091,SC2154
if [ -e "${NIX_ATTRS_SH_FILE:-}" ]; then . "$NIX_ATTRS_SH_FILE"; elif [ -e .attrs.sh ]; then . .attrs.sh; fi
source "$stdenv/setup"
genericBuild
