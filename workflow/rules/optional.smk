"""What the parts that a study may leave out, grids and corrupted input, ask of the config."""

from avfusion.config.grid import at_point
from avfusion.config.grid import points

GRIDS = {name: study.grid_settings("", name)["grid"] for name in study.fusions}
GRIDS = {name: grid for name, grid in GRIDS.items() if grid}
GRID_TABLES = [f"grids.{kind}" for kind in ("csv", "md") if GRIDS]


def point_settings(wildcards):
    """What the run of one grid point depends on."""
    own = study.run_settings(wildcards.corpus, wildcards.fusion, int(wildcards.seed))
    return as_json(at_point(own, wildcards.point))


def grid_settings(wildcards):
    """The points to choose from."""
    return json.dumps(study.grid_settings(wildcards.corpus, wildcards.fusion))


def grid_epochs(wildcards):
    """Epochs of every point of a fusion's grid."""
    return [
        lay.grid_run(wildcards.corpus, wildcards.fusion, point, seed) / "epochs.csv"
        for point in points(GRIDS.get(wildcards.fusion, {}))
        for seed in study.grid_seeds
    ]


def chosen(wildcards):
    """What a fusion's grid came to, of the fusions that have one."""
    name = wildcards.corpus, wildcards.fusion
    return lay.chosen(*name) if wildcards.fusion in GRIDS else []


ROBUST_TABLES = [
    f"{name}.{kind}"
    for name in ("robustness", "areas", "gates")
    for kind in ("csv", "md", "tex")
    if study.robustness
] + (["losses.csv"] if study.robustness else [])


def signals(wildcards):
    """Features of corrupted sound and pictures: a corruption, level and encoder each."""
    return [
        lay.corrupted(wildcards.corpus, name, float(level), encoder) / "index.parquet"
        for name, level, encoder in study.signal_cases()
    ]


def robust_parts(wildcards):
    """As many jobs as the corpus' videos are dealt out to."""
    count = study.corpora[wildcards.corpus].shards
    folder = lay.robustness(wildcards.corpus)
    return [folder / f"part-{i}-of-{count}.json" for i in range(count)]
