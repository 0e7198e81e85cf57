"""Find faces with mediapipe: `python faces_mediapipe.py FRAMES.npy ROUNDS`."""

import sys

import mediapipe as mp
import numpy as np
from _timing import report, timed

frames, rounds = np.load(sys.argv[1]), int(sys.argv[2])
with mp.solutions.face_detection.FaceDetection(model_selection=0) as detector:
    found = sum(bool(detector.process(frame).detections) for frame in frames)
    took = [timed(lambda: [detector.process(f) for f in frames]) for _ in range(rounds)]
    report(took, found=found)
