#!/bin/sh
# Rust's compiler, which waits for ever where libfaketime is preloaded. It writes no time, so it needs no other clock.
unset LD_PRELOAD
exec "${0%/*}/real/rustc" "$@"
