"""A local web app: drop a clip and watch its predictions, served by `avf serve`."""
