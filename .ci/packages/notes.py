"""A draft of a release's notes."""

from packages import source


def notes() -> str:
    """The commits since the last release, the newest first."""
    version = source.package()["version"]
    # Not the action's tag, which names no version.
    tags = source.git("tag", "--merged", "HEAD", "--sort=-v:refname", "--list", "v*.*.*").split()
    last = next((tag for tag in tags if tag != f"v{version}"), None)
    commits = source.git("log", "--no-merges", "--format=- %s", f"{last}..HEAD" if last else "HEAD")
    return f"## {source.NAME} {version}\n\n{commits or '- no change'}"
