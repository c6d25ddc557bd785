"""The HTTP routes of a runner: one module for each resource, put together by core.runner.app."""
