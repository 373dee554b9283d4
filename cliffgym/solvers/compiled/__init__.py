"""The loops of the solvers as functions that numba compiles. Importing any module of this package imports numba.

They are imported late, where a kernel was chosen. Arithmetic stays in the order in which it is written. Transitions
are those of `structure.transitions`: successors (S, A, B) and probabilities (S, A, B), or (0, 0, 0) where all are 1.

numba notices that a cached function's own file has changed, but not the file of a function that it calls: after editing
one, remove the folders `__pycache__` here.
"""
