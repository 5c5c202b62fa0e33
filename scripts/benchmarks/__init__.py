"""What scripts/bench runs: builds and starts of the same applications by pyzpack and by its peers."""
