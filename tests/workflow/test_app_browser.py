"""The app as people use it: in a browser, with a mouse, a keyboard and a screen reader."""

import csv
import shutil
from contextlib import contextmanager

import pytest

from support.app_server import left, serving
from support.tiny_bundle import tiny_clip

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

PATIENCE_MS = 240_000
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as player:
        running = player.chromium.launch(executable_path=CHROMIUM)
        yield running
        running.close()


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def address(small_bundle, temporary):
    words = ["--jobs", "1", "--most-mb", "1", "--most-minutes", "1"]
    with serving(small_bundle, temporary, *words) as (address, _):
        yield address
    assert left(temporary) == []


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("clips") / "talk.mp4", 4.0)


@contextmanager
def visit(browser, address, **options):
    """A page of a browser of its own; it must stay silent and ask no other host."""
    context = browser.new_context(accept_downloads=True, **options)
    page, noise = context.new_page(), []
    page.on("console", lambda line: noise.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on(
        "request", lambda r: None if r.url.startswith((address, "data:")) else noise.append(r.url)
    )
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    try:
        yield page
        assert noise == []
    finally:
        context.close()


def upload(page, path):
    page.set_input_files("#file", path)
    page.get_by_role("button", name="Predict").click()


def opened(page, path):
    """Upload a clip and open its result."""
    upload(page, path)
    page.get_by_role("link", name="Open result").click()
    page.wait_for_selector("#values td")


def accessible(page):
    found = axe.Axe().run(page).response["violations"]
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found] == []


def test_a_clip_is_predicted_parts_are_left_out_and_it_is_deleted(
    browser, address, clip, temporary, tmp_path
):
    with visit(browser, address) as page:
        opened(page, clip)
        page.wait_for_function("document.querySelector('#player').readyState >= 1")
        page.fill("#from", "0:01")
        page.fill("#to", "1.5")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Mark on the traces").click()
        page.locator("#surface").scroll_into_view_if_needed()
        box = page.locator("#surface").bounding_box()
        middle = box["y"] + 40
        page.mouse.move(box["x"] + 0.6 * box["width"], middle)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.7 * box["width"], middle, steps=4)
        page.mouse.up()
        playwright.expect(page.locator("#ranges li")).to_have_count(2)
        playwright.expect(page.locator(".left-out")).to_have_count(2)
        count = page.locator("#out-count").text_content()
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        download.value.save_as(tmp_path / "rows.csv")
        with (tmp_path / "rows.csv").open() as file:
            times = [float(row["time_s"]) for row in csv.DictReader(file)]
        assert not [time for time in times if 1.001 < time < 1.659]
        out, total = (int(word) for word in count.split() if word.isdigit())
        assert len(times) == total - out > 0
        page.reload()
        playwright.expect(page.locator("#ranges li")).to_have_count(2)
        page.get_by_role("button", name="again").first.click()
        playwright.expect(page.locator("#ranges li")).to_have_count(1)
        page.get_by_role("button", name="Close and delete").click()
        page.wait_for_url(f"{address}")
        page.get_by_text("None yet.").wait_for()
        assert not list(temporary.glob("avf-serve-*/*/talk.mp4"))


def test_what_is_refused_says_why(browser, address, tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("only words\n")
    with visit(browser, address) as page:
        page.get_by_role("button", name="Predict").click()
        assert "Choose a clip first" in page.get_by_role("alert").text_content()
        upload(page, text)
        page.locator("#clips .failed").wait_for()
        assert "not a media file" in page.locator("#clips .failed").text_content()
        page.fill("#start", "3")
        page.fill("#end", "2")
        page.set_input_files("#file", text)
        page.get_by_role("button", name="Predict").click()
        assert "after the start" in page.get_by_role("alert").text_content()
        page.get_by_role("button", name="Delete notes.mp4").click()
        page.get_by_text("None yet.").wait_for()


def test_a_file_that_is_too_large_is_not_sent(browser, address, tmp_path):
    large = tmp_path / "large.mp4"
    large.write_bytes(b"\0" * 1_200_000)
    context = browser.new_context()
    page = context.new_page()
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.goto(address)
    upload(page, large)
    page.get_by_text("this server takes 1 MB").wait_for(timeout=30_000)
    assert not [url for url in sent if url.endswith("/file")]
    context.close()


def test_two_users_wait_for_each_other_and_see_only_their_clips(browser, address, clip, tmp_path):
    other = tmp_path / "other.mp4"
    shutil.copy(clip, other)
    clip = tiny_clip(tmp_path / "talk.mp4", 25.0)  # long enough to be seen in progress
    with visit(browser, address) as ann, visit(browser, address) as bob:
        upload(ann, clip)
        ann.locator("#clips li").wait_for()
        upload(bob, other)
        bob.get_by_text("place 1 in the queue").wait_for()
        assert ann.locator("#clips .name").all_text_contents() == ["talk.mp4"]
        assert bob.locator("#clips .name").all_text_contents() == ["other.mp4"]
        ann.get_by_role("button", name="Cancel talk.mp4").click()
        ann.get_by_text("None yet.").wait_for()
        bob.get_by_role("link", name="Open result").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible_at_each_width(browser, address, clip, theme, tmp_path):
    with visit(browser, address, color_scheme=theme) as page:
        text = tmp_path / "notes.mp4"
        text.write_text("only words\n")
        upload(page, text)
        page.locator("#clips .failed").wait_for()
        page.locator("summary").click()
        for width in (390, 800, 1400):
            fits(page, width)
            accessible(page)
        opened(page, clip)
        page.fill("#from", "1")
        page.fill("#to", "2")
        page.get_by_role("button", name="Leave out").click()
        for width in (390, 800, 1400):
            fits(page, width)
            accessible(page)


def fits(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_is_enough(browser, address, clip):
    with visit(browser, address) as page:
        page.set_input_files("#file", clip)
        page.focus("#file")
        for _ in range(10):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "Predict":
                break
        page.keyboard.press("Enter")
        link = page.get_by_role("link", name="Open result")
        link.wait_for()
        link.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("#values td")
        page.focus("#surface")
        page.keyboard.press("End")
        assert page.locator("#clock").text_content() != "0:00.0"
