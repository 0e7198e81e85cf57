"""The hosts that each source may be read from; nothing is sent to any other.

A source that begins to answer from another host is refused, with the name of that host. If it is
legitimate, this table is the place to add it.
"""

ZENODO = frozenset({"zenodo.org"})


GITHUB = frozenset(
    {
        "github.com",
        "codeload.github.com",  # archives
        "github-cloud.githubusercontent.com",  # files of Git LFS
        "github-cloud.s3.amazonaws.com",
    }
)


GITLAB = frozenset({"gitlab.com", "cdn.artifacts.gitlab-static.net", "storage.googleapis.com"})
