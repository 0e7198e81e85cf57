"""Paths of all artefacts of a study, for the workflow and the command line."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths below one results folder; corpora, encoders and fusions go by their names."""

    results: Path = Path("results")

    def manifest(self, corpus: str) -> Path:
        """One row per video: video, path, partition, subject, voice, transcript, sha256, bytes."""
        return self.results / "manifest" / corpus / "manifest.parquet"

    def gold(self, corpus: str) -> Path:
        """One row per rated instant: video, time_s and the corpus' targets (NaN = unrated)."""
        return self.results / "manifest" / corpus / "gold.parquet"

    def labels(self, corpus: str) -> Path:
        """One row per labelled video: video, label (empty for corpora without classes)."""
        return self.results / "manifest" / corpus / "labels.parquet"

    def votes(self, corpus: str) -> Path:
        """Human votes per video and modality (empty for corpora without them)."""
        return self.results / "manifest" / corpus / "votes.parquet"

    def trials(self, corpus: str) -> Path:
        """One row per trial of verification: list, partition, first, second, same."""
        return self.results / "manifest" / corpus / "trials.parquet"

    def truth(self, corpus: str) -> Path:
        """Planted spans: video, start_s, end_s, modality, kind (empty for real corpora)."""
        return self.results / "manifest" / corpus / "truth.parquet"

    def card(self, corpus: str) -> Path:
        """Properties of a corpus: targets, range, classes, delay_s, rating_hz, …"""
        return self.results / "manifest" / corpus / "corpus.json"

    def checks(self, corpus: str) -> Path:
        """Results of `avf verify`: check, verdict, expected, found, hint."""
        return self.results / "manifest" / corpus / "checks.csv"

    def absent(self, corpus: str) -> Path:
        """Missing files of the corpus, one per line."""
        return self.results / "manifest" / corpus / "absent.txt"

    def fingerprints(self, corpus: str) -> Path:
        """One row per file of the corpus: path, bytes, sha256; to compare between laboratories."""
        return self.results / "manifest" / corpus / "fingerprints.parquet"

    def verified(self, corpus: str) -> Path:
        """Cache of `avf verify`: digests and frame times of files that it read before."""
        return self.results / "manifest" / corpus / "read"

    def media(self, corpus: str) -> Path:
        """Folder of media: index.parquet, shard-*.parquet and one folder per video."""
        return self.results / "media" / corpus

    def encoder(self, corpus: str, encoder: str) -> Path:
        """Folder of an encoder fitted on the training partition: best.safetensors, …"""
        return self.results / "encoders" / corpus / encoder

    def features(self, corpus: str, encoder: str) -> Path:
        """Folder of features: index.parquet, shard-*.parquet, <video>.npy, <video>.times.npy."""
        return self.results / "features" / corpus / encoder

    def corrupted(self, corpus: str, corruption: str, level: float, encoder: str) -> Path:
        """Folder of one encoder's features of corrupted audio or video; as `features`."""
        case = f"{corruption}-{level:g}"
        return self.robustness(corpus) / "features" / case / encoder

    def delays(self, corpus: str) -> Path:
        """CCC of a ridge regression on the features at each annotation delay, per target."""
        return self.results / "delays" / f"{corpus}.csv"

    def run(self, corpus: str, fusion: str, seed: int) -> Path:
        """Folder of one training run: settings.json, best.safetensors, epochs.csv, traces, …"""
        return self.results / "runs" / corpus / fusion / f"seed{seed}"

    def train_log(self, corpus: str, fusion: str, seed: int) -> Path:
        """Log of one training run."""
        return self.results / "logs" / "train" / f"{corpus}.{fusion}.seed{seed}.log"

    def grid_run(self, corpus: str, fusion: str, point: str, seed: int) -> Path:
        """Folder of one run of one grid point; as `run`, but without test videos."""
        return self.results / "grids" / corpus / fusion / point / f"seed{seed}"

    def chosen(self, corpus: str, fusion: str) -> Path:
        """All grid points of a fusion with their validation scores, and the chosen one."""
        return self.results / "grids" / corpus / fusion / "chosen.json"

    def scores(self, corpus: str) -> Path:
        """Folder of scores: scores.parquet (run x protocol x target), sums.parquet."""
        return self.results / "scores" / corpus

    def robustness(self, corpus: str) -> Path:
        """Folder of corrupted input: sums.parquet, <fusion>/seed<k>/traces.parquet."""
        return self.results / "robustness" / corpus

    def bundle(self, corpus: str) -> Path:
        """Folder of the bundle of a corpus' best fusion: bundle.json, card.md, weights."""
        return self.results / "bundles" / corpus

    def example(self, corpus: str) -> Path:
        """Predictions of the clip of a bundle, without the ending: .html, .csv, .png, .json."""
        return self.results / "examples" / corpus / "clip"

    @property
    def jobs(self) -> Path:
        """Records of finished jobs with digests of their files, for `avf adopt`."""
        return self.results / "settings" / "jobs.json"

    @property
    def tables(self) -> Path:
        """Folder of the tables as CSV, Markdown and LaTeX."""
        return self.results / "tables"

    @property
    def metrics(self) -> Path:
        """Corpus -> fusion -> score and interval, for `dvc metrics`."""
        return self.results / "metrics.json"

    @property
    def plot(self) -> Path:
        """One row per fusion, protocol and target, for `dvc plots`."""
        return self.results / "ccc.csv"

    @property
    def figures(self) -> Path:
        """Folder of the figures as SVG and PNG."""
        return self.results / "figures"

    @property
    def page(self) -> Path:
        """The report page, which opens offline."""
        return self.results / "report.html"

    @property
    def provisional(self) -> Path:
        """Report of a study that is not finished: tables, figures and page, with a stamp."""
        return self.results / "provisional"
