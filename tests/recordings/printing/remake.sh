#!/bin/bash
# Makes the streams of the npm encoders in this folder anew: what tests/drivers/printers/test_streams_by_others.py reads.
#
#   tests/recordings/printing/remake.sh
#
# Needs Debian's nodejs and npm, and the npm registry. Not part of any test: the streams are kept.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
command -v npm >/dev/null || "$here/../../rig/debian.sh" nodejs npm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/make_streams.cjs" "$work"
cd "$work"
npm init --yes >/dev/null
npm install --no-audit --no-fund --silent receiptline@4.0.4 @point-of-sale/receipt-printer-encoder@4.0.1
node make_streams.cjs "$here"
