# shellcheck shell=bash
echo "Sourcing pyzpack-hook"
