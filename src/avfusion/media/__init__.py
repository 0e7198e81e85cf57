"""Read videos; only this package uses decord, PyAV and OpenCV to decode them."""
