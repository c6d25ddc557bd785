"""Logs, traces and metrics, and the masking of secrets that all of them go through."""
