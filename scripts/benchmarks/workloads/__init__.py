"""Workloads of CliffGym."""
