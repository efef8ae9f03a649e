# Sourced by the other scripts: where tools live and how a missing one is installed. Not a program.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Outside target/, so that a fresh clone on the same machine need not build or fetch the tools again.
tools=${DEFENDABLE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/defendable}

step() { printf '\n== %s\n' "$*" >&2; }

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# debian PACKAGE…: installs those that are missing.
debian() {
    local package missing=()
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    step "installing Debian packages: ${missing[*]}"
    as_root apt-get update -q >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}" >&2
}

# cargo_tool NAME VERSION: builds a cargo subcommand unless this version is there, and puts it on the PATH.
cargo_tool() {
    PATH=$tools/$1-$2/bin:$PATH
    [ -x "$tools/$1-$2/bin/$1" ] && return
    step "building $1 $2 (some minutes, once per machine)"
    cargo install --locked --quiet --root "$tools/$1-$2" --version "$2" "$1" >&2
}

# python_tool NAME REQUIREMENT…: a virtual environment with exactly these packages; prints its bin folder.
python_tool() {
    local name=$1 folder
    shift
    folder=$tools/$name-$(printf '%s\n' "$@" | sha256sum | cut -c1-8)
    if [ ! -e "$folder/complete" ]; then
        debian python3 python3-venv
        step "installing $* from PyPI"
        rm -rf "$folder"
        /usr/bin/python3 -m venv "$folder"
        "$folder/bin/pip" install --quiet --disable-pip-version-check "$@" >&2
        touch "$folder/complete"
    fi
    printf '%s\n' "$folder/bin"
}

# node_packages NAME PACKAGE_JSON: what it names, from npm, installed once; prints its node_modules folder.
node_packages() {
    local folder
    command -v node >/dev/null && command -v npm >/dev/null || debian nodejs npm
    folder=$tools/$1-$(sha256sum "$2" | cut -c1-8)
    if [ ! -e "$folder/complete" ]; then
        step "installing what $2 names from npm"
        rm -rf "$folder"
        mkdir -p "$folder"
        cp "$2" "$folder/package.json"
        (cd "$folder" && npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts >&2)
        touch "$folder/complete"
    fi
    printf '%s\n' "$folder/node_modules"
}
