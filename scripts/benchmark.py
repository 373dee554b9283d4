"""Measures CliffGym beside its peers. Run by scripts/benchmark."""

from benchmarks.command import main

if __name__ == "__main__":
    main()
