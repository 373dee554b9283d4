"""Stable-Baselines3 agents for CliffGym, and the exact evaluation of what they learned."""
