"""The page in a browser: accessible, usable on a phone, by keyboard and on paper; and offline."""

import shutil
import unicodedata

import pytest

from avfusion.report.figures.write import write_figures
from avfusion.report.page.write import write_page
from support.pdf_text import pages
from support.reported import reported

pytestmark = pytest.mark.slow
playwright = pytest.importorskip("playwright.sync_api", reason="the packages `tests` are missing")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PHONE, TABLET, DESK = 390, 800, 1400
PAPER_PX = 695
"""Width of the text on A4 paper with the margins of the page, at 96 pixels per inch."""

OPEN_ALL = "document.querySelectorAll('details').forEach((part) => part.open = true)"
BEYOND = """(width) => [...document.querySelectorAll("body *:not(svg *)")]
  .filter((part) => part.getClientRects().length && part.getBoundingClientRect().right > width + 1)
  .map((part) => part.tagName + " " + part.textContent.trim().slice(0, 40))"""


STARTS = """() => [...document.querySelectorAll("h2, h3, .table figcaption, summary")]
  .map((head) => [head, head.nextElementSibling?.matches(".hint")
    ? head.nextElementSibling.nextElementSibling : head.nextElementSibling])
  .filter(([head, next]) => next && !next.matches(".picture"))
  .map(([head, next]) => head.innerText + next.innerText.trim().slice(0, 15))"""
"""Each heading and caption, with the begin of what follows it."""


@pytest.fixture(scope="module")
def browser():
    path = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if path is None:
        pytest.skip("no chromium here: apt-get install chromium")
    with playwright.sync_playwright() as play:
        started = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page of a study in which a video, a run and a corpus are missing."""
    folder = tmp_path_factory.mktemp("results")
    fusions, corpora = ("audio", "jca", "concat"), ("demo", "recola")
    study, layout = reported(folder, fusions, corpora, [("concat", 1)])
    write_figures(study, layout)
    write_page(study, layout)
    return layout.page


@pytest.fixture
def opened(browser, report):
    """Open the page with a width and a colour scheme; returns it and the addresses it asked for."""
    contexts = []

    def at(width=DESK, scheme="light"):
        size = {"width": width, "height": 900}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme))
        page, asked = contexts[-1].new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(report.as_uri())
        page.wait_for_timeout(100)  # the observer of sizes has run
        return page, asked

    yield at
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, TABLET, DESK])
def test_axe_finds_nothing_and_nothing_is_asked_of_a_host(opened, report, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page, asked = opened(width, scheme)
    page.evaluate(OPEN_ALL)
    page.wait_for_timeout(100)
    found = axe.Axe().run(page)
    assert not found.response["violations"], found.generate_report()
    assert found.response["passes"]
    assert asked == [report.as_uri()]


@pytest.mark.parametrize("width", [PHONE, TABLET, DESK])
def test_only_tables_and_figures_scroll_sideways(opened, width):
    page, _ = opened(width)
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_phone_stacks_panels_and_says_which_tables_scroll(opened):
    page, _ = opened(PHONE)
    assert page.locator(".stacked svg").first.is_visible()
    assert not page.locator(".side svg").first.is_visible()
    drawing = page.locator(".drawing.both").first
    assert drawing.evaluate("(d) => d.scrollWidth <= d.clientWidth")
    scores = page.locator("figure.table").first
    assert scores.locator(".wide").evaluate("(w) => w.scrollWidth > w.clientWidth")
    assert scores.locator(".hint").is_visible()
    assert page.locator(".wide figcaption, .wide caption").count() == 0
    assert scores.locator("figcaption").evaluate("(c) => c.getBoundingClientRect().right") <= PHONE
    wide, _ = opened(DESK)
    assert wide.locator(".side svg").first.is_visible()
    assert not wide.locator("figure.table").first.locator(".hint").is_visible()


def test_the_keyboard_reaches_the_results_and_every_scroller(opened):
    page, _ = opened(PHONE)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    missed = page.evaluate(
        """[...document.querySelectorAll(".wide, .drawing, pre")].filter((part) =>
             part.scrollWidth > part.clientWidth + 1 && part.tabIndex !== 0).length"""
    )
    assert missed == 0
    scroller = page.locator("figure.table .wide").first
    while not scroller.evaluate("(part) => part === document.activeElement"):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none", page.evaluate("document.activeElement.outerHTML")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)  # the scrolling is smooth
    assert page.evaluate("document.activeElement.scrollLeft") > 0


def test_a_click_on_a_head_sorts_the_table(opened):
    page, _ = opened()
    scores = page.locator("table.sortable").first
    head = scores.locator("thead th", has_text="mean")
    for direction in ("descending", "ascending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == direction
        cells = scores.locator("tbody tr td:nth-child(2)").all()
        values = [float(cell.get_attribute("data-value")) for cell in cells]
        assert values == sorted(values, reverse=direction == "descending")
        assert len(set(values)) > 2


def test_paper_has_every_setting_and_no_heading_without_its_table(opened, tmp_path):
    page, _ = opened()
    settings = squeezed(page.locator("#settings pre").text_content())
    page.evaluate(OPEN_ALL)
    page.emulate_media(media="print")
    starts = page.evaluate(STARTS)
    page.pdf(path=tmp_path / "page.pdf", format="A4")
    texts = [squeezed(text) for text in pages(tmp_path / "page.pdf")]
    assert len(texts) > 3
    assert settings in "".join(texts)
    assert len(starts) > 20
    for start in map(squeezed, starts):
        assert [text for text in texts if start in text], f"{start!r} is not on one page"


def squeezed(text):
    """Text without spaces, and with letters instead of ligatures."""
    return unicodedata.normalize("NFKC", "".join(text.split()))


def test_nothing_is_wider_than_paper(opened):
    page, _ = opened(PAPER_PX)
    page.evaluate(OPEN_ALL)
    page.emulate_media(media="print")
    assert page.evaluate(BEYOND, PAPER_PX) == []
