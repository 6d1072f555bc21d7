"""Where the browser of the tests comes from: PATH, else apt when root, else Playwright's own download.

`python -m tests.chromium` makes sure that there is one and prints its path.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium_path() -> str | None:
    """The system's Chromium; None means that Playwright's own is to be used."""
    if chosen := os.environ.get("TAILRACE_CHROMIUM"):
        return chosen
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> str:
    """Makes sure that a browser is there. Raises CalledProcessError when neither apt nor Playwright has one."""
    if path := chromium_path():
        return path
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=True, timeout=300, stdout=subprocess.DEVNULL)
        packages = ["chromium", "fonts-dejavu-core"]
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        subprocess.run(command, check=True, timeout=600, stdout=subprocess.DEVNULL)
        if path := chromium_path():
            return path
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True, timeout=600)
    return "Playwright's own"


if __name__ == "__main__":
    sys.stdout.write(f"browser: {install()}\n")
