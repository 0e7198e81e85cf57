"""Compute eGeMAPS with openSMILE: `python sound_opensmile.py SOUND.npy RATE_HZ ROUNDS`."""

import sys

import numpy as np
import opensmile
from _timing import report, timed

sound, rate_hz, rounds = np.load(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
level = opensmile.FeatureLevel.LowLevelDescriptors
smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, level)
rows = len(smile.process_signal(sound, rate_hz))
report([timed(lambda: smile.process_signal(sound, rate_hz)) for _ in range(rounds)], rows=rows)
