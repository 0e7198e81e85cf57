"""Make the pictures of the report page in docs/tutorials/reading-the-report.md.

python docs/report_screenshots.py [PAGE]    # after `make demo`; needs chromium
"""

import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
SIZES_PX = {390: 1900, 800: 1500, 1400: 1500}
COLOURS = 160
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Save the top of the page as it appears on a phone, a tablet and a desk, with few colours."""
    page_path = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "results" / "report.html")
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        sys.exit("No Chromium found. Run: apt-get install chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for width, height in SIZES_PX.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(page_path.resolve().as_uri())
            page.wait_for_timeout(500)
            picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
            picture.quantize(COLOURS).save(IMAGES / f"report-{width}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
