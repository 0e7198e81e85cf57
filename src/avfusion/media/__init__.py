"""Media: the only place that imports decord, PyAV and OpenCV for reading videos."""
