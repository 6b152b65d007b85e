"""Chromium, report files, and pages that are listened to."""

import shutil

from rationale_rm.report import Settings, read, write

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser():
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found, "no Chromium: make setup-browser"
    return found


def make_report(paths, file):
    with file.open("wb") as stream:
        write(read(paths), stream, Settings(version="0"))
    return file


class Opened:
    """A page, and all that it said, asked for or showed unasked."""

    def __init__(self, page):
        self.page = page
        self.noise = []
        page.on("console", lambda message: self.noise.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.noise.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.noise.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))
        self.requests = []

    def go(self, file, route=""):
        self.page.goto(f"{file.as_uri()}#{route}")
        self.page.wait_for_selector("body[data-ready]")
        return self.page
