"""Writes cliffgym/explorer/explorer.html, the page of all registered scenarios. Run by scripts/explorer_page.

A test says when it is stale.
"""

from pathlib import Path

from cliffgym.explorer import explorer_page
from cliffgym.files import atomic_write

PATH = Path(__file__).resolve().parents[1] / "cliffgym" / "explorer" / "explorer.html"


def main() -> None:
    """Writes the page and says how large it is."""
    with atomic_write(PATH) as file:
        file.write(explorer_page().encode())
    print(f"Wrote {PATH} ({PATH.stat().st_size / 1000:,.0f} kB)")


if __name__ == "__main__":
    main()
