"""Find faces with py-feat: `python faces_feat.py FRAMES.npy ROUNDS`.

Its detector needs weights that it downloads when it is built.
"""

import sys

import numpy as np
import torch
from _timing import report, timed
from feat import Detector

frames, rounds = np.load(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(1)
detector = Detector(device="cpu")
batch = torch.from_numpy(frames).permute(0, 3, 1, 2)  # (N, 3, H, W)
found = sum(bool(len(faces)) for faces in detector.detect_faces(batch))
report([timed(lambda: detector.detect_faces(batch)) for _ in range(rounds)], found=found)
