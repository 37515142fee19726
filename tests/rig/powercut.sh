#!/bin/bash
# make test-powercut: sells on a real ext4 in a Debian under qemu, and pulls the plug.
#
# Needs root and debootstrap for the disk image and for mounting what is left, and qemu; no KVM. The image is the one of
# test-usb (see rig.sh, about 2 GB). tests/rig/powercut/powercut.py says what is done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# shellcheck source=/dev/null
. tests/rig/rig.sh test-powercut
# shellcheck source=/dev/null
. tests/rig/qemu.sh

prepare_qemu tests/rig/powercut/guest tests/offline_queue/scene.py
"$BIN/pytest" tests/rig/powercut/powercut.py "$@"
