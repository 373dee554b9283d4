"""A real Chromium for the page's tests, and a guard: a page that asks for anything but itself fails its test.

Tests skip where there is no browser, unless CI is set: there its absence is an error.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cliffgym.explorer import explorer_page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
LIMIT = 20.0  # seconds
Opener = Callable[..., Page]


def find_chromium() -> str | None:
    """The browser to drive: $CLIFFGYM_CHROMIUM, or what is on the path."""
    return os.environ.get("CLIFFGYM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def wait_until(page: Page, expression: str) -> None:
    """Waits until JavaScript is true. Playwright's own way evaluates text in the page, which its policy forbids."""
    end = time.monotonic() + LIMIT
    while not page.evaluate(expression):
        if time.monotonic() > end:
            pytest.fail(f"not true within {LIMIT} s: {expression}")
        page.wait_for_timeout(10)


@pytest.fixture
def until() -> Callable[[Page, str], None]:
    """`wait_until`, for tests, which cannot import from here."""
    return wait_until


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        message = "no Chromium: install it (Debian: apt-get install chromium) or set CLIFFGYM_CHROMIUM to the program"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def ready_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all registered scenarios, as a file. Whether the package's is fresh, a test of its own says."""
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    path.write_text(explorer_page(), encoding="utf-8")
    return path


@pytest.fixture
def open_page(browser: Browser, ready_made: Path) -> Iterator[Opener]:
    """Opens the page of a file, by default the ready-made one, once it has drawn itself.

    At the end of the test no page may have asked for anything but its own file, thrown an error, or been refused
    anything by its security policy.
    """
    contexts, wrong = [], list[str]()

    def open_it(
        fragment: str = "", *, file: Path = ready_made, width: int = 1280, height: int = 900, **options: object
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        own = file.resolve().as_uri()

        def requested(url: str) -> None:
            if url.partition("#")[0] != own and not url.startswith(("data:", "blob:")):
                wrong.append(f"request for {url}")

        context.on("request", lambda request: requested(request.url))
        page.on("pageerror", lambda error: wrong.append(f"error {error}"))
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.goto(own + fragment)
        wait_until(page, "globalThis.cliffgym?.ready === true")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert wrong == []
