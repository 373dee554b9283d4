# Read by the other scripts, not run: makes .venv and installs the checkout with pinned versions.
#
# A stamp in .venv holds the checksum of everything that is installed from here, so a second run is quick.

# make_environment NAME REQUIREMENT: installs REQUIREMENT (such as '.[test]') unless that has been done for these files.
make_environment() {
    stamp=".venv/installed-$1"
    current=$(find cliffgym agents -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 cat pyproject.toml constraints.txt README.md | cksum)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$current" ]; then
        return
    fi
    python=${PYTHON:-python3}
    if [ ! -x .venv/bin/python ]; then
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
            echo "CliffGym needs Python 3.11 or newer, got $("$python" --version) from $python; set PYTHON" >&2
            exit 2
        }
        "$python" -m venv .venv
    fi
    echo "Installing into .venv (the first time takes minutes, mostly for PyTorch) ..." >&2
    # Uninstalled first, because pip keeps a build of the same version number.
    .venv/bin/python -m pip uninstall --quiet --yes cliffgym
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt "$2"
    rm -f .venv/installed-*
    echo "$current" >"$stamp"
}
