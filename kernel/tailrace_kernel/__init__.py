"""The kernel daemon: a Jupyter kernel that knows the graph between cells and re-runs what a change touches."""
