"""The benchmark suite: `python -m bench` measures the product and the raw CLI in one run, against one model server."""
