"""The page of a clip in a browser: it follows the clip, asks no host, and is accessible."""

import base64
import hashlib
import json
import re
import wave
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from avfusion.errors import AvfError
from avfusion.prediction.formats import page as page_module
from avfusion.prediction.formats.write import write
from avfusion.prediction.prediction import Doubt, Target
from support.synthetic_predictions import clip, predict

CHROMIUM = Path("/usr/bin/chromium")
PAIN = (Target("pain", 0.0, 10.0),)
SIZES = (390, 800, 1400)


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("no chromium here: apt-get install chromium")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser):
    """Open a file in a new page, which must not complain and must ask for files only."""
    contexts, wrong = [], []

    def open_(path, width=1400, playable=True, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        tab = context.new_page()
        if playable:
            tab.on("console", lambda m: m.type == "error" and wrong.append(m.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda r: r.url.startswith(("file:", "data:")) or wrong.append(r.url))
        tab.goto(path.absolute().as_uri())
        known = "playable" if playable else "!document.getElementById('unplayable').hidden"
        tab.wait_for_function(f"() => {known}")
        return tab

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """The page of four seconds with two people, next to the clip."""
    folder = tmp_path_factory.mktemp("talk")
    prediction = predict(clip(folder), persons=2)
    return write(prediction, folder / "out", ["html"])[0]


def sound_file(path, seconds=3.0):
    """A WAV file with a tone."""
    samples = 8000 * np.sin(2 * np.pi * 440 * np.arange(int(16_000 * seconds)) / 16_000)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def cursor_s(tab):
    """Time of the cursor, from its place on the traces of a clip of four seconds."""
    box = tab.locator("#surface").bounding_box()
    line = tab.locator("#cursor").bounding_box()
    return 4 * (line["x"] + line["width"] / 2 - box["x"]) / box["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_the_page_is_accessible_and_fits(opened, talk, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    tab = opened(talk, width, color_scheme=scheme)
    tab.evaluate("seek(1.7)")
    result = axe.Axe().run(tab)
    assert result.violations_count == 0, result.generate_report()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_the_cursor_follows_the_clip(opened, talk):
    tab = opened(talk)
    assert cursor_s(tab) == pytest.approx(0.16, abs=0.05), "the first row"
    tab.evaluate("player.muted = true; player.currentTime = 2.5")
    tab.wait_for_function("() => Math.abs(now - 2.5) < 0.01")
    assert cursor_s(tab) == pytest.approx(2.5, abs=0.05)
    assert tab.locator("#clock").inner_text() == "0:02.5"
    tab.evaluate("player.currentTime = 0; player.play()")
    tab.wait_for_function("() => now > 0.5")
    tab.evaluate("player.pause()")
    assert cursor_s(tab) == pytest.approx(tab.evaluate("player.currentTime"), abs=0.3)


def test_the_values_are_those_of_the_table(opened, talk):
    tab = opened(talk)
    table = predict(talk, persons=2).table
    for time_s in (0.16, 1.6, 3.9):
        tab.evaluate(f"seek({time_s})")
        cells = tab.locator("#values tr").nth(1).locator("td span").all_inner_texts()
        row = table[(table["track_id"] == 1) & (table["time_s"] <= time_s)].iloc[-1]
        shown = [float(text.replace("−", "-")) for text in cells]
        assert shown == pytest.approx([row["valence"], row["arousal"]], abs=0.0051)
    first = tab.locator("#values tr").first
    assert "no prediction" in first.inner_text(), "person 0 is not seen in the last second"
    tab.evaluate("seek(0.1)")
    assert "no prediction" in first.inner_text(), "no row ends before 0.16 s"


def test_a_click_and_keys_on_the_traces_move_the_clip(opened, talk):
    tab = opened(talk)
    surface = tab.locator("#surface")
    box = surface.bounding_box()
    surface.click(position={"x": 0.75 * box["width"], "y": 40})
    tab.wait_for_function("() => !player.seeking")
    assert tab.evaluate("player.currentTime") == pytest.approx(3.0, abs=0.02)
    surface.focus()
    moves = {"ArrowLeft": 2.84, "ArrowRight": 3.0, "Home": 0.0, "End": 4.0, "PageDown": 0.0}
    for key, time_s in moves.items():
        tab.keyboard.press(key)
        tab.wait_for_function("() => !player.seeking")
        assert tab.evaluate("player.currentTime") == pytest.approx(time_s, abs=0.02)
        assert float(surface.get_attribute("aria-valuenow")) == pytest.approx(time_s, abs=0.02)
    tab.evaluate("player.muted = true")
    tab.keyboard.press("Space")
    tab.wait_for_function("() => !player.paused")
    assert surface.get_attribute("aria-valuetext").startswith("0:0")


def test_doubts_are_listed_and_lead_to_their_time(opened, talk):
    tab = opened(talk)
    button = tab.get_by_role("button", name="0:01.5 to 0:02.5")
    button.click()
    tab.wait_for_function("() => !player.seeking")
    assert tab.evaluate("player.currentTime") == pytest.approx(1.5, abs=0.02)
    now = tab.locator("#doubt-now")
    assert now.inner_text() == "In doubt: the face is turned away; two people speak"
    tab.get_by_role("checkbox", name="person 0").uncheck()
    assert now.inner_text() == "In doubt: two people speak"
    assert tab.get_by_text("the sound is only in the left channel").is_visible()


def coloured(tab, selector, variable):
    """Number of pixels of a canvas with a colour of the page."""
    return tab.evaluate(
        """([selector, variable]) => {
          const canvas = document.querySelector(selector), hex = colour(variable);
          const want = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
          const seen = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          let count = 0;
          for (let i = 0; i < seen.length; i += 4) {
            count += seen[i + 3] > 200 && want.every((v, c) => Math.abs(v - seen[i + c]) < 8);
          }
          return count;
        }""",
        [selector, variable],
    )


def test_persons_can_be_hidden(opened, talk):
    tab = opened(talk)
    assert coloured(tab, "canvas.target", "--p0") > 200
    assert coloured(tab, "canvas.target", "--p1") > 200
    assert coloured(tab, "#plane", "--p1") > 50
    tab.get_by_role("checkbox", name="person 1").uncheck()
    assert coloured(tab, "canvas.target", "--p1") == coloured(tab, "#plane", "--p1") == 0
    assert coloured(tab, "canvas.target", "--p0") > 200
    assert not tab.locator("#values tr").nth(1).is_visible()


def test_the_point_in_the_plane_moves(opened, talk):
    tab = opened(talk)
    images = set()
    for time_s in (0.5, 1.5, 2.5):
        tab.evaluate(f"seek({time_s})")
        images.add(tab.evaluate("plane.toDataURL()"))
    assert len(images) == 3


def test_reduced_motion_moves_the_cursor_with_the_player_only(opened, talk):
    tab = opened(talk, reduced_motion="reduce")
    tab.evaluate("player.muted = true; player.play()")
    tab.wait_for_function("() => now > 0.3")
    assert tab.evaluate("ticking") is False


def test_a_sound_file_has_a_player_of_sound(opened, tmp_path):
    prediction = predict(sound_file(tmp_path / "call.wav"), seconds=3.0, persons=None)
    tab = opened(write(prediction, tmp_path / "out", ["html"])[0])
    assert tab.locator("audio").count() == 1
    assert tab.locator("video").count() == 0
    tab.evaluate("seek(2)")
    tab.wait_for_function("() => !player.seeking")
    assert tab.evaluate("player.currentTime") == pytest.approx(2.0, abs=0.02)
    assert tab.get_by_text("no face was found").is_visible()


def test_a_part_of_a_clip_keeps_the_times_of_the_clip(opened, tmp_path):
    prediction = predict(clip(tmp_path))
    prediction.clip.update(start_s=2.0, end_s=3.0)
    table = prediction.table.query("2 < time_s <= 3").reset_index(drop=True)
    prediction = replace(prediction, table=table)
    tab = opened(write(prediction, tmp_path / "out", ["html"])[0])
    first_s, last_s = table["time_s"].iloc[0] - 0.16, table["time_s"].iloc[-1]
    assert tab.evaluate("view") == pytest.approx([first_s, last_s], abs=1e-3)
    tab.locator("#surface").focus()
    for key, time_s in (("End", last_s), ("Home", first_s)):
        tab.keyboard.press(key)
        tab.wait_for_function("() => !player.seeking")
        assert tab.evaluate("player.currentTime") == pytest.approx(time_s, abs=0.02)


def test_without_the_clip_the_traces_still_work(opened, tmp_path):
    prediction = predict(tmp_path / "gone.mp4")
    tab = opened(write(prediction, tmp_path, ["html"])[0], playable=False)
    assert tab.locator("#unplayable").is_visible()
    tab.locator("#time").fill("2")
    assert cursor_s(tab) == pytest.approx(2.0, abs=0.05)
    tab.locator("#surface").focus()
    tab.keyboard.press("End")
    assert cursor_s(tab) == pytest.approx(4.0, abs=0.05)
    assert tab.locator("#values td span").first.inner_text() == "–"


def test_an_included_clip_plays_without_its_file(opened, tmp_path):
    path = clip(tmp_path, seconds=1.0)
    page = write(predict(path, seconds=1.0), tmp_path / "out", ["html"], embed=True)[0]
    path.unlink()
    tab = opened(page)
    assert tab.evaluate("player.duration") == pytest.approx(1.0, abs=0.1)


def test_a_clip_that_is_too_large_or_missing_is_not_included(tmp_path, monkeypatch):
    path = clip(tmp_path, seconds=1.0)
    monkeypatch.setattr(page_module, "EMBED_MB", 0.01)
    with pytest.raises(AvfError, match=r"a page can include 0.01 MB\. Run the command without"):
        write(predict(path, seconds=1.0), tmp_path / "out", ["html"], embed=True)
    path.unlink()
    with pytest.raises(AvfError, match="no such file, so the page cannot include it"):
        write(predict(path, seconds=1.0), tmp_path / "out", ["html"], embed=True)


NASTY = '"><script>alert(1)</script>.mp4'


def test_names_and_reasons_are_text(opened, tmp_path):
    prediction = predict(
        clip(tmp_path, "a #1 'q\" 100%?.mp4"),
        doubts=[Doubt(0, 1, "</script><script>alert(2)</script>", None)],
        remarks=["<img src=x onerror=alert(3)>"],
        targets=(Target("<b>joy</b>", 0.0, 1.0), *PAIN),
    )
    prediction.clip["name"] = NASTY
    prediction.bundle["name"] = "<i>model</i>\u2028"
    path = write(prediction, tmp_path / "out", ["html"])[0]
    tab = opened(path)
    dialogs = []
    tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    tab.evaluate("seek(0.5)")
    assert tab.locator("h1").inner_text() == NASTY
    assert "alert(2)" in tab.locator("#doubt-now").inner_text()
    assert tab.locator("h1 script, main script, main b, main i, main img").count() == 0
    assert dialogs == []


class Tags(HTMLParser):
    """Tags of a page, and the text of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] in ("script", "style"):
            self.texts.append((*self.tags[-1], data))


def test_the_policy_allows_this_script_and_style_only(talk):
    page = Tags(talk.read_text())
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv"))
    for tag, attrs, text in page.texts:
        if "type" not in attrs and text.strip():
            code = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{code}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in re.sub(r"http-equiv", "", policy)
    assert not [a for _, a in page.tags if any(k.startswith("on") or k == "style" for k in a)]


def test_an_hour_is_drawn_fast_and_can_be_enlarged(opened, tmp_path):
    prediction = predict(clip(tmp_path, seconds=1.0), seconds=3600.0, persons=3)
    spike = prediction.table.index[12_345]
    prediction.table.loc[spike, "valence"] = 0.97
    page = write(prediction, tmp_path / "out", ["html"])[0]
    assert page.stat().st_size < 8e6
    tab = opened(page)
    assert (
        tab.evaluate(
            "(() => { const t = performance.now(); draw(); return performance.now() - t;})()"
        )
        < 2000
    )
    data = tab.evaluate("data.people[0].time.length")
    assert data == 22_500, "no row is left out"
    found = tab.evaluate(
        """(() => { const p = data.people[0], x = (s) => s / 3600 * 800;
          return points(p.time, p.values[0], p.values[1], p.values[2], x, 800); })()"""
    )
    assert len(found) <= 802
    assert max(entry[2] for entry in found if entry) == 0.97, (
        "the highest value of a pixel is drawn"
    )
    tab.locator("#window").select_option("60")
    tab.evaluate("seek(1800)")
    assert tab.evaluate("view[1] - view[0]") == pytest.approx(60)
    assert tab.evaluate("view[0] <= now && now <= view[1]")


@pytest.mark.parametrize(
    ("changes", "plane"),
    [({"seconds": 0.16}, True), ({"persons": None}, True), ({"targets": PAIN}, False)],
    ids=["one row", "no face", "0 to 10"],
)
def test_odd_predictions_have_a_page(opened, tmp_path, changes, plane):
    tab = opened(write(predict(clip(tmp_path), **changes), tmp_path / "out", ["html"])[0])
    tab.evaluate("seek(0.3)")
    assert tab.locator("#plane").is_visible() == plane
    assert coloured(tab, "canvas.target", "--p0") > 10
    if changes.get("targets"):
        assert re.fullmatch(r"\d\.\d\d", tab.locator("#values td span").first.inner_text())


def test_the_data_of_the_page_is_json(talk):
    page = Tags(talk.read_text())
    text = next(text for _, attrs, text in page.texts if attrs.get("id") == "data")
    data = json.loads(text)
    table = predict(talk, persons=2).table
    first = table[table["track_id"] == 0]["valence"]
    assert np.allclose(
        [np.nan if v is None else v for v in data["people"][0]["values"][0]],
        first,
        atol=1e-4,
        equal_nan=True,
    )
