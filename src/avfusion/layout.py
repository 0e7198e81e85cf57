"""Where each artefact of a study lies; the workflow and the command line both ask here."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths below one results folder; a corpus, encoder, fusion or video is named by its id."""

    results: Path = Path("results")

    def manifest(self, corpus: str) -> Path:
        """One row a video: video, path, partition, subject, voice, transcript, sha256, bytes."""
        return self.results / "manifest" / corpus / "manifest.parquet"

    def gold(self, corpus: str) -> Path:
        """One row a rated instant: video, time_s and the corpus' targets (NaN = unrated)."""
        return self.results / "manifest" / corpus / "gold.parquet"

    def labels(self, corpus: str) -> Path:
        """One row a labelled video: video, label (empty for corpora without classes)."""
        return self.results / "manifest" / corpus / "labels.parquet"

    def truth(self, corpus: str) -> Path:
        """Planted spans: video, start_s, end_s, modality, kind (empty for real corpora)."""
        return self.results / "manifest" / corpus / "truth.parquet"

    def card(self, corpus: str) -> Path:
        """What a study must know of a corpus: targets, range, classes, delay_s, rating_hz, …"""
        return self.results / "manifest" / corpus / "corpus.json"

    def checks(self, corpus: str) -> Path:
        """What `avf verify` expected and found: check, verdict, expected, found, hint."""
        return self.results / "manifest" / corpus / "checks.csv"

    def absent(self, corpus: str) -> Path:
        """Every file that the corpus should hold and does not, one a line."""
        return self.results / "manifest" / corpus / "absent.txt"

    def fingerprints(self, corpus: str) -> Path:
        """One row a file of the corpus' folder: path, bytes, sha256; to compare between labs."""
        return self.results / "manifest" / corpus / "fingerprints.parquet"

    def verified(self, corpus: str) -> Path:
        """What `avf verify` read before and need not read again: digests, times of frames."""
        return self.results / "manifest" / corpus / "read"

    def media(self, corpus: str) -> Path:
        """Folder of media: index.parquet, shard-*.parquet and one folder a video."""
        return self.results / "media" / corpus

    def encoder(self, corpus: str, encoder: str) -> Path:
        """Folder of an encoder fitted on the corpus' train partition: best.safetensors, …"""
        return self.results / "encoders" / corpus / encoder

    def features(self, corpus: str, encoder: str) -> Path:
        """Folder of features: index.parquet, shard-*.parquet, <video>.npy, <video>.times.npy."""
        return self.results / "features" / corpus / encoder

    def corrupted(self, corpus: str, corruption: str, level: float, encoder: str) -> Path:
        """Folder of one encoder's features of corrupted sound or pictures; as `features`."""
        case = f"{corruption}-{level:g}"
        return self.robustness(corpus) / "features" / case / encoder

    def delays(self, corpus: str) -> Path:
        """CCC of a ridge on the features at every delay of the raters, by target."""
        return self.results / "delays" / f"{corpus}.csv"

    def run(self, corpus: str, fusion: str, seed: int) -> Path:
        """Folder of one training run: settings.json, best.safetensors, epochs.csv, traces…"""
        return self.results / "runs" / corpus / fusion / f"seed{seed}"

    def grid_run(self, corpus: str, fusion: str, point: str, seed: int) -> Path:
        """Folder of one run of one grid point; as `run`, but without a video of test."""
        return self.results / "grids" / corpus / fusion / point / f"seed{seed}"

    def chosen(self, corpus: str, fusion: str) -> Path:
        """Every grid point of a fusion with its validation score, and the one that is taken."""
        return self.results / "grids" / corpus / fusion / "chosen.json"

    def scores(self, corpus: str) -> Path:
        """Folder of scores: scores.parquet (a run x protocol x target), sums.parquet."""
        return self.results / "scores" / corpus

    def robustness(self, corpus: str) -> Path:
        """Folder of corrupted input: sums.parquet, <fusion>/seed<k>/traces.parquet."""
        return self.results / "robustness" / corpus

    @property
    def tables(self) -> Path:
        """Scores, comparisons and the rest as CSV, Markdown and LaTeX."""
        return self.results / "tables"

    @property
    def metrics(self) -> Path:
        """Corpus -> fusion -> score and interval, as `dvc metrics` compares them."""
        return self.results / "metrics.json"

    @property
    def plot(self) -> Path:
        """A row a fusion, protocol and target, as `dvc plots` draws them."""
        return self.results / "ccc.csv"

    @property
    def figures(self) -> Path:
        """Figures as SVG and PNG."""
        return self.results / "figures"

    @property
    def page(self) -> Path:
        """The page that opens offline."""
        return self.results / "report.html"
