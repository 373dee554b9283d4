"""CliffGym beside its peers: one run, one core, one table.

Every measured side is a workload, a short file of `workloads` (ours) or `peers` (others'), that a process of its own
runs in the right environment and on the one core. `comparisons` is the table as plain data; `measuring` alternates the
sides of a row; `report` and `figures` write what was found.
"""
