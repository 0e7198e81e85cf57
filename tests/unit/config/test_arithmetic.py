"""Portable arithmetic: a command holds the libraries whatever its surroundings say."""

import json
import os
import subprocess
import sys
import threading

import pytest

from avfusion.config import arithmetic
from avfusion.config.study import Study

FIT = """
import sys
import threading
from avfusion.config import arithmetic
arithmetic.hold(sys.argv[1])
import hashlib, torch
torch.manual_seed(0)
net = torch.nn.Sequential(
    torch.nn.Conv2d(3, 32, 3), torch.nn.ReLU(), torch.nn.Conv2d(32, 32, 3), torch.nn.ReLU(),
    torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(512, 64), torch.nn.Tanh(),
    torch.nn.Linear(64, 2),
)
x, y = torch.randn(16, 3, 24, 24), torch.randn(16, 2)
optimiser = torch.optim.AdamW(net.parameters(), 1e-3)
for _ in range(5):
    optimiser.zero_grad()
    ((net(x) - y) ** 2).mean().backward()
    optimiser.step()
sums = torch.fft.rfft(torch.randn(4, 1000)).abs() @ torch.randn(501, 300)
weights = [sums, *net.parameters()]
digest = hashlib.sha256(b"".join(w.detach().numpy().tobytes() for w in weights)).hexdigest()
print(torch.backends.cpu.get_cpu_capability(), arithmetic.held(), digest)
"""

needs_avx2 = pytest.mark.skipif(
    not arithmetic.can_be_portable(), reason="needs a processor with AVX2"
)


def fit(kind: str, **outer: str) -> list[str]:
    environment = {k: v for k, v in os.environ.items() if k not in arithmetic.PORTABLE}
    environment.pop(arithmetic.CHOSEN, None)
    done = subprocess.run(
        [sys.executable, "-c", FIT, kind],
        env=environment | outer,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


@needs_avx2
def test_the_surroundings_change_a_fast_fit_and_no_portable_one():
    """Instruction sets stand for other processors; the least one changes a fit."""
    outer = {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}
    assert fit("fast", **outer)[-1] != fit("fast")[-1]
    held, plain = fit("portable", **outer, OMP_NUM_THREADS="2"), fit("portable")
    assert held == plain
    assert plain[:2] == ["AVX2", "portable"]


def test_a_machine_without_avx2_is_told(tmp_path, monkeypatch):
    for flags, expected in (("fpu avx avx2 fma", True), ("fpu avx", False)):
        (tmp_path / "cpuinfo").write_text(f"processor: 0\nflags\t\t: {flags}\n")
        monkeypatch.setattr(arithmetic, "CPU", tmp_path / "cpuinfo")
        assert arithmetic.can_be_portable() == expected
    monkeypatch.setattr(arithmetic, "CPU", tmp_path / "none")
    assert not arithmetic.can_be_portable()


def test_a_file_without_fusions_has_the_arithmetic_of_the_base_study(tmp_path, monkeypatch):
    monkeypatch.setattr("avfusion.config.arithmetic.BASE", tmp_path / "base.yaml")
    (tmp_path / "base.yaml").write_text("arithmetic: portable\nfusions: {ca: {}}\n")
    for text, expected in (
        ("seeds: [0]\n", "portable"),
        ("fusions: {ca: {}}\n", "fast"),
        ("arithmetic: fast\n", "fast"),
        ("arithmetic: portable\nfusions: {ca: {}}\n", "portable"),
    ):
        (tmp_path / "study.yaml").write_text(text)
        assert arithmetic.stated(tmp_path / "study.yaml") == expected


def test_arithmetic_is_part_of_what_encoders_and_runs_depend_on():
    corpora, fusions = {"demo": {"root": "data/demo"}}, {"ca": {}}
    fast, held = (
        Study(corpora=corpora, fusions=fusions, arithmetic=kind) for kind in ("fast", "portable")
    )
    assert fast.run_settings("demo", "ca", 0) != held.run_settings("demo", "ca", 0)
    assert fast.encoder_settings("mel_cnn") != held.encoder_settings("mel_cnn")


def test_the_settings_of_a_job_say_its_arithmetic_also_from_a_pipe(tmp_path):
    document = json.dumps({"arithmetic": "portable", "seed": 1})
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(document,))
    writer.start()
    kept = arithmetic.kept(pipe)
    writer.join()
    assert [arithmetic.of_job(kept) for _ in range(2)] == ["portable"] * 2
    assert kept.read_text() == document
    file = tmp_path / "settings.json"
    for text, expected in (
        ('{"encoder": {"arithmetic": "fast"}}', "fast"),
        ('{"encoder": "mel_cnn", "arithmetic": "portable"}', "portable"),
        ('{"seeds": [0]}', None),
        ("[1]", None),
        ("no json", None),
    ):
        file.write_text(text)
        assert arithmetic.kept(file) == file
        assert arithmetic.of_job(file) == expected
