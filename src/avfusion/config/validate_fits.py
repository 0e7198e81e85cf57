"""Check the fits of encoders: `encoder_seeds` and `cross_fit`."""

from collections.abc import Iterator

from avfusion.config.fits import default_seed
from avfusion.config.study import Study
from avfusion.registry import encoders


def fits(study: Study) -> Iterator[str]:
    """Yield a message per fault of `encoder_seeds` and `cross_fit`."""
    if study.cross_fit == 1:
        yield "cross_fit: 1 fold leaves no person to fit on. Set it to 2 or more, or to 0."
    numbers = study.encoder_seeds
    if numbers == [0]:
        return
    if min(numbers) < 0 or len(set(numbers)) < len(numbers):
        yield f"encoder_seeds: expected different numbers, 0 or more; found {numbers}."
        return
    if len(study.seeds) > len(numbers) and len(study.seeds) % len(numbers):
        yield (
            f"encoder_seeds: {len(numbers)} fits and {len(study.seeds)} seeds; the seeds take the "
            f"fits in turn, so more seeds than fits must be a multiple of them. Set seeds to "
            f"{list(range(len(numbers) * -(-len(study.seeds) // len(numbers))))}."
        )
    listed = dict.fromkeys(study.features.encoders)
    known = [name for name in listed if encoders.known(study.encoder_class(name))]
    fitted = [name for name in known if study.fitted(name)]
    for name in fitted:
        if default_seed(study.encoder_class(name)) is None:
            yield (
                f"encoder_seeds: the fit of {name!r} has no option `seed`. Add one to its class, "
                f"or remove encoder_seeds."
            )
