#!/bin/sh
# Runs a command in DIRECTORY while two directories are mounted that list what they hold backwards:
#
#     sh reversed.sh DISORDERFS BELOW MOUNT BELOW MOUNT DIRECTORY COMMAND...
#
# The mounts end with it. They are children of this shell, in its process group: what ends that ends them too.
set -u

disorderfs=$1 sources=$2 sources_mount=$3 temporary=$4 temporary_mount=$5 directory=$6
shift 6

show_backwards() {
    exec "$disorderfs" -f --multi-user=no --sort-dirents=no --reverse-dirents=yes "$1" "$2" </dev/null >&2
}

: >"$sources/.mounted"
: >"$temporary/.mounted"
show_backwards "$sources" "$sources_mount" &
first=$!
show_backwards "$temporary" "$temporary_mount" &
second=$!
# A mount is taken away by the program that serves it, when it is asked to end.
unmount() {
    kill "$first" "$second" 2>/dev/null
    wait "$first" "$second"
}
trap 'unmount; exit 143' INT TERM

tries=0
until [ -e "$sources_mount/.mounted" ] && [ -e "$temporary_mount/.mounted" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$first" 2>/dev/null || ! kill -0 "$second" 2>/dev/null; then
        unmount
        exit 125
    fi
    sleep 0.05
done
(cd "$directory" && exec "$@")
status=$?
unmount
exit "$status"
