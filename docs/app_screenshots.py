"""Make the pictures in docs/how-to/app.md: a result at three widths.

python docs/app_screenshots.py        # after `make demo`; needs chromium and playwright
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs/images"
WIDTHS = {390: 1500, 800: 1300, 1400: 1000}
"""Width -> height in pixels."""
COLOURS = 160


def main() -> None:
    """Serve a bundle, predict a clip of the demo corpus, and save what is seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "results/bundles/demo")
    parser.add_argument("--clip", type=Path, default=ROOT / "data/demo/videos/demo003.mp4")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    from support.app_server import serving

    with (
        tempfile.TemporaryDirectory() as folder,
        serving(args.model, Path(folder)) as (address, _),
    ):
        take(address, args.clip, args.out)


def take(address: str, clip: Path, out: Path) -> None:
    """Predict a clip and save a picture of the result at each width, with a part left out."""
    from mlflow_screenshot import browser
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        chromium = player.chromium.launch(executable_path=browser())
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        page.goto(address)
        page.set_input_files("#file", clip)
        page.get_by_role("button", name="Predict").click()
        page.get_by_role("link", name="Open result").click(timeout=120_000)
        page.wait_for_selector("#values td")
        page.fill("#from", "2.5")
        page.fill("#to", "4")
        page.get_by_role("button", name="Leave out").click()
        page.locator("#player").evaluate("player => { player.currentTime = 6; }")
        page.wait_for_timeout(1000)
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(300)
            save(page.screenshot(), out / f"app-{width}.png")
        chromium.close()


def save(png: bytes, path: Path) -> None:
    """Write a picture with a palette, which takes a third of the bytes."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


if __name__ == "__main__":
    main()
