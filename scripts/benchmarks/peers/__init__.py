"""Workloads of others. They run in .venv-peers, where CliffGym is not installed."""
