#!/bin/bash
# Sees to it that the named Debian packages are there, for tests that need more than Python.
#
#   tests/rig/debian.sh PACKAGE...
#
# Installs what is missing if it may (root on a Debian system). If it may not: with CI set it fails and names them;
# without, it says which tests will be skipped for want of what, and succeeds.
set -euo pipefail

missing=()
for package in "$@"; do
  [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

install_missing() {
  [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null || return 1
  echo "installing from Debian: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local apt=(apt-get --quiet=2 --yes --no-install-recommends -o DPkg::Lock::Timeout=300)
  "${apt[@]}" install "${missing[@]}" </dev/null >/dev/null 2>&1 && return
  # The lists may be old or absent: once more with fresh ones, and this time aloud.
  apt-get --quiet=2 update && "${apt[@]}" install "${missing[@]}" </dev/null >/dev/null
}

install_missing && exit 0
if [[ -n ${CI:-} ]]; then
  echo "FAILED: needs ${missing[*]} (apt-get install ${missing[*]}), and CI may not skip" >&2
  exit 1
fi
for package in "${missing[@]}"; do echo "skipped: needs $package"; done
