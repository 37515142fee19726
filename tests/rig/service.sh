#!/bin/bash
# make test-service: installs Tillmate into a real Debian booted by systemd-nspawn, and plays with the service.
#
# Needs root, debootstrap and systemd-nspawn. Kept for the next run (see rig.sh): a bare Debian and the dependency wheels,
# about 400 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# shellcheck source=/dev/null
. tests/rig/rig.sh test-service

needs debootstrap systemd-nspawn nsenter -- debootstrap systemd-container
export RIG_ROOT=$RIG/$SUITE
make_root "$RIG_ROOT" systemd,systemd-sysv,dbus,udev,procps,python3,python3-venv
make_wheelhouse "$(basename "$(readlink "$RIG_ROOT/usr/bin/python3")" | tr -d python)"
exec "$BIN/pytest" tests/rig/service.py --timeout 300 "$@"
