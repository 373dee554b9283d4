# Read by the other scripts, not run: makes .venv and installs the checkout with pinned versions.
#
# A stamp in .venv holds the checksum of everything that is installed from here, so a second run is quick.

# make_environment NAME REQUIREMENT: installs REQUIREMENT (such as '.[test]') unless that has been done for these files.
# What is installed for "test" contains what the others need.
make_environment() {
    current=$(find cliffgym agents pyproject.toml constraints.txt README.md -type f ! -path '*/__pycache__/*' -exec cksum {} + |
        LC_ALL=C sort | cksum)
    for stamp in ".venv/installed-$1" .venv/installed-test; do
        if [ -x .venv/bin/python ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$current" ]; then
            return
        fi
    done
    python=${PYTHON:-python3}
    if [ ! -x .venv/bin/python ]; then
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
            echo "CliffGym needs Python 3.11 or newer, got $("$python" --version) from $python; set PYTHON" >&2
            exit 2
        }
        "$python" -m venv .venv || {
            rm -rf .venv # half an environment would pass for a whole one the next time
            exit 2
        }
    fi
    echo "Installing into .venv (the first time takes minutes, mostly for PyTorch) ..." >&2
    rm -f .venv/installed-*
    # Uninstalled first, because pip keeps a build of the same version number.
    .venv/bin/python -m pip uninstall --quiet --yes cliffgym
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt "$2"
    echo "$current" >".venv/installed-$1"
}
