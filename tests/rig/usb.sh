#!/bin/bash
# make test-usb: boots a Debian kernel in qemu, plugs USB scanners and printers into it that only exist as programs, scans
# and prints.
#
# Needs root and debootstrap for the disk image, and qemu; no KVM, no hardware, no module of this machine's own kernel.
# The image is kept for the next run (see rig.sh, about 2 GB); each run boots it without writing to it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# shellcheck source=/dev/null
. tests/rig/rig.sh test-usb

# shellcheck source=/dev/null
. tests/rig/qemu.sh

prepare_qemu tests/rig/usb/guest install/linux/tillmate.service install/linux/60-tillmate.rules
"$BIN/pytest" tests/rig/usb/scanning.py tests/rig/usb/printing.py --timeout 300 "$@"
