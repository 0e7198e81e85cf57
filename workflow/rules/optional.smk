"""Grids and corrupted input: the parts that a study may leave out."""

from avfusion.config.grid import points

GRIDS = {name: study.grid_of(name) for name in study.fusions if study.grid_of(name)}


def grid_predictions(wildcards):
    """Return the predictions of every point of a fusion's grid; a run writes them last."""
    return expand(
        "<results>/grids/{corpus}/{fusion}/{point}/seed{seed}/{name}.parquet",
        corpus=wildcards.corpus,
        fusion=wildcards.fusion,
        point=list(points(GRIDS.get(wildcards.fusion, {}))),
        seed=study.grid_seeds,
        name=FILES[study.task(wildcards.corpus)],
    )


def chosen(wildcards):
    """Return the chosen point of a fusion that has a grid."""
    path = f"<results>/grids/{wildcards.corpus}/{wildcards.fusion}/chosen.json"
    return path if wildcards.fusion in GRIDS else []


def signals(wildcards):
    """Return the features of corrupted sound and pictures, per corruption, level and encoder."""
    corpus = wildcards.corpus
    return [
        f"<results>/robustness/{corpus}/features/{name}-{level}/{encoder}/index.parquet"
        for name, level, encoder in study.signal_cases()
    ]


def robust_parts(wildcards):
    """Return the parts of robustness; there are as many jobs as the corpus has shards."""
    return shards("<results>/robustness/{corpus}/part-{i}-of-{n}.json", corpus=wildcards.corpus)
