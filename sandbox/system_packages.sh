#!/bin/sh
# Installs the Debian packages named as arguments that are not there yet.
# Elsewhere than on Debian or Ubuntu it says what is expected and goes on.
set -eu

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "Not a Debian system: please make sure that you have the equivalent of: $*"
    exit 0
fi

missing=""
for package in "$@"; do
    state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1; then
    as_root="sudo"
else
    echo "Please install as root: apt-get install$missing" >&2
    exit 1
fi

echo "Installing$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086  # a list of words on purpose
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
