#!/bin/bash
# make test-service: installs Tillmate into a real Debian booted by systemd-nspawn, and plays with the service.
#
# Needs root, debootstrap and systemd-nspawn. What can be kept for the next run (the bare Debian and the dependency wheels)
# lies in $TILLMATE_RIG (default /var/tmp/tillmate-rig, about 400 MB). The Debian mirror is the one this machine uses itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly SUITE=bookworm
readonly RIG=${TILLMATE_RIG:-/var/tmp/tillmate-rig}
readonly ROOT=$RIG/$SUITE
readonly BIN=.venv/bin

skip() {
  if [[ -n ${CI:-} ]]; then
    echo "FAILED: test-service needs $1, and CI may not skip" >&2
    exit 1
  fi
  echo "skipped: test-service needs $1"
  exit 0
}

# shellcheck disable=SC2016  # the names in $() are apt's own
mirror() {
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 'Component: main' |
    awk -v suite="$SUITE" '$1 == suite { print $2; exit }'
}

# The folder gets its name when it is complete, so that a run cut short leaves nothing half-made in the cache.
make_root() {
  [[ ! -d $ROOT ]] || return 0
  local from
  from=$(mirror)
  [[ -n $from ]] || skip "a Debian machine whose apt knows $SUITE"
  echo "making a bare Debian $SUITE in $ROOT (about a minute, once)"
  rm -rf "$ROOT.new"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,udev,procps,python3,python3-venv \
    "$SUITE" "$ROOT.new" "$from" >"$RIG/debootstrap.log" 2>&1 ||
    { tail -5 "$RIG/debootstrap.log" >&2; skip "a Debian mirror that answers"; }
  mv "$ROOT.new" "$ROOT"
}

# Wheels for the Python in the root folder, which need not be the one that runs the tests.
make_wheelhouse() {
  local minor key platforms=() tag
  minor=$(basename "$(readlink "$ROOT/usr/bin/python3")" | tr -d python)
  key=$(sha256sum install/requirements.txt | cut -c1-16)
  wheelhouse=$RIG/wheels-$minor-$key
  [[ ! -d $wheelhouse ]] || return 0
  for tag in manylinux_2_{36..5} manylinux2014 manylinux2010 manylinux1; do platforms+=(--platform "${tag}_$(uname -m)"); done
  rm -rf "$RIG"/wheels-*
  "$BIN/python" -m pip download --quiet --disable-pip-version-check --require-hashes --requirement install/requirements.txt \
    --only-binary :all: --implementation cp --python-version "$minor" "${platforms[@]}" --dest "$wheelhouse.new"
  mv "$wheelhouse.new" "$wheelhouse"
}

[[ $EUID -eq 0 ]] || skip root
tests/rig/debian.sh debootstrap systemd-container
for tool in debootstrap systemd-nspawn nsenter; do command -v "$tool" >/dev/null || skip "$tool"; done
mkdir -p "$RIG"
make_root
make_wheelhouse
export RIG_ROOT=$ROOT RIG_WHEELS=$wheelhouse
exec "$BIN/pytest" tests/rig/service.py --timeout 300 "$@"
