"""Shape of a log-mel spectrogram: what its options may be."""


def hop_fault(hop_s: float, rate_hz: int) -> str:
    """Return why a hop is not a whole number of samples; empty if it is.

    >>> hop_fault(0.01, 16_000)
    ''
    >>> hop_fault(0.01005, 16_000)
    '0.01005 s is 160.8 samples at 16000 Hz. Choose a whole number, such as 0.0100625 s.'
    """
    samples = hop_s * rate_hz
    if round(samples) >= 1 and abs(samples - round(samples)) <= 1e-6:
        return ""
    return (
        f"{hop_s:g} s is {samples:g} samples at {rate_hz} Hz. Choose a whole number, such as "
        f"{max(1, round(samples)) / rate_hz:.12g} s."
    )
