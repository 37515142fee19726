#!/bin/bash
# What service.sh and usb.sh share; sourced by them, with the name of their target, in the root of the repository.
#
# What can be kept for the next run lies in $TILLMATE_RIG (default /var/tmp/tillmate-rig): a thing gets its name when it is
# complete, so that a run cut short leaves nothing half-made. The Debian mirror is the one that this machine uses itself.

readonly TARGET=$1
readonly SUITE=bookworm
readonly RIG=${TILLMATE_RIG:-/var/tmp/tillmate-rig}
readonly BIN=.venv/bin

skip() {
  if [[ -n ${CI:-} ]]; then
    echo "FAILED: $TARGET needs $1, and CI may not skip" >&2
    exit 1
  fi
  echo "skipped: $TARGET needs $1"
  exit 0
}

# Root, and these tools, of which some are in packages that may have to be installed: needs TOOL... -- PACKAGE...
needs() {
  local tools=()
  [[ $EUID -eq 0 ]] || skip root
  while [[ $1 != -- ]]; do tools+=("$1"); shift; done
  tests/rig/debian.sh "${@:2}"
  for tool in "${tools[@]}"; do command -v "$tool" >/dev/null || skip "$tool"; done
  mkdir -p "$RIG"
}

# shellcheck disable=SC2016  # the names in $() are apt's own
mirror() {
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 'Component: main' |
    awk -v suite="$SUITE" '$1 == suite { print $2; exit }'
}

# A minimal Debian in a folder: make_root FOLDER PACKAGE,PACKAGE...
make_root() {
  [[ ! -d $1 ]] || return 0
  local from log=$RIG/debootstrap-${1##*/}.log
  from=$(mirror)
  [[ -n $from ]] || skip "a Debian machine whose apt knows $SUITE"
  echo "making a bare Debian $SUITE in $1 (a minute or two, once)"
  rm -rf "$1.new"
  debootstrap --variant=minbase --include="$2" "$SUITE" "$1.new" "$from" >"$log" 2>&1 ||
    { tail -5 "$log" >&2; skip "a Debian mirror that answers"; }
  mv "$1.new" "$1"
}

# Wheels for Python $1, which need not be the one that runs the tests; their folder is $RIG_WHEELS afterwards.
make_wheelhouse() {
  local minor=$1 key platforms=() tag
  key=$(sha256sum install/requirements.txt | cut -c1-16)
  export RIG_WHEELS=$RIG/wheels-$minor-$key
  [[ ! -d $RIG_WHEELS ]] || return 0
  for tag in manylinux_2_{36..5} manylinux2014 manylinux2010 manylinux1; do platforms+=(--platform "${tag}_$(uname -m)"); done
  rm -rf "$RIG"/wheels-*
  "$BIN/python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --requirement install/requirements.txt \
    --only-binary :all: --implementation cp --python-version "$minor" "${platforms[@]}" --dest "$RIG_WHEELS.new"
  mv "$RIG_WHEELS.new" "$RIG_WHEELS"
}
