#!/bin/bash
# Installs Tillmate as a service, or brings an installed one up to the given wheel. May be run again at any time.
#
#   sudo ./install.sh tillmate-VERSION-py3-none-any.whl [--wheelhouse DIR] [--config FILE] [--os-queue]
#
#   --wheelhouse DIR  take every dependency from this folder and ask no network
#   --config FILE     use this configuration (an older one is kept beside it as config.toml.before-DATE)
#   --os-queue        also what printers behind a CUPS queue need (driver os_queue); later upgrades keep it
#
# Each version is built complete in its own folder under /opt/tillmate/releases before anything that runs is touched.
# Then /opt/tillmate/current is pointed at it; if the new version does not come up, it is pointed back and the old one
# started again. Configuration (/etc/tillmate) and data (/var/lib/tillmate) are never overwritten by an upgrade.
set -euo pipefail
umask 022

readonly HOME_DIR=/opt/tillmate
readonly CONFIG_DIR=/etc/tillmate
readonly CONFIG=$CONFIG_DIR/config.toml
readonly STATE=/var/lib/tillmate
readonly UNIT=/etc/systemd/system/tillmate.service
readonly RULES=/etc/udev/rules.d/60-tillmate.rules
readonly COMMAND=/usr/local/bin/tillmate
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE

say() { printf 'tillmate: %s\n' "$*"; }

# fail WHAT WHERE CURE: the three things that the person in front of it needs.
fail() {
  printf 'tillmate: FAILED: %s\n  where: %s\n  do:    %s\n' "$1" "$2" "$3" >&2
  exit 1
}

usage() {
  sed -n '4,8s/^# \{0,3\}//p' "${BASH_SOURCE[0]}"
}

# ---- what we were asked for and what we stand on ---------------------------------------------------------------------

wheel='' wheelhouse='' new_config='' requirements=$HERE/../requirements.txt

read_arguments() {
  while (($#)); do
    case $1 in
      --wheelhouse) wheelhouse=${2:?--wheelhouse needs a folder}; shift 2 ;;
      --os-queue) requirements=$HERE/../requirements-os-queue.txt; shift ;;
      --config) new_config=${2:?--config needs a file}; shift 2 ;;
      -h | --help) usage; exit 0 ;;
      -*) usage >&2; fail "unknown option $1" "the command line" "use the options above" ;;
      *) wheel=$1; shift ;;
    esac
  done
  if compgen -G "$HOME_DIR/current/lib/python3*/site-packages/escpos" >/dev/null; then
    requirements=$HERE/../requirements-os-queue.txt
  fi
  [[ -n $wheel ]] || { usage >&2; fail "no wheel was named" "the command line" "name the tillmate-*.whl file"; }
}

check_ground() {
  [[ $EUID -eq 0 ]] || fail "not run as root" "user $(id -un)" "run it again with sudo"
  [[ -f $wheel && $(basename "$wheel") == tillmate-*.whl ]] ||
    fail "this is no Tillmate wheel" "$wheel" "name the tillmate-*.whl file that came with this script"
  [[ -f $requirements ]] ||
    fail "the list of locked dependencies is missing" "$requirements" "unpack the whole install folder, not this script alone"
  [[ -z $wheelhouse || -d $wheelhouse ]] ||
    fail "the wheelhouse is no folder" "$wheelhouse" "name the folder with the dependency wheels"
  [[ -z $new_config || -f $new_config ]] || fail "no such configuration file" "$new_config" "check the path after --config"
  wheel=$(realpath "$wheel")
  [[ -z $wheelhouse ]] || wheelhouse=$(realpath "$wheelhouse")
  [[ -z $new_config ]] || new_config=$(realpath "$new_config")
  cd /
  command -v systemctl >/dev/null || fail "systemd is missing" "this machine" "Tillmate runs as a systemd service; see docs/install.md"
}

# A Python below somebody's home is of no use: the service may not look into homes.
fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11) or sys.base_prefix.startswith(("/root/", "/home/")))' 2>/dev/null; }

find_python() {
  local name names=(/usr/bin/python3 /usr/bin/python3.{14,13,12,11} /usr/local/bin/python3 python3)
  [[ -z ${PYTHON:-} ]] || names=("$PYTHON")
  for name in "${names[@]}"; do
    if python=$(command -v "$name") && fits "$python"; then
      "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "Python cannot make virtual environments" "$python" "apt-get install python3-venv, then run this again"
      return
    fi
  done
  fail "no Python 3.11 or newer outside the home folders" "${PYTHON:-/usr/bin and /usr/local/bin}" \
    "apt-get install python3 python3-venv, or set PYTHON=/path/to/python3"
}

# ---- one release = one folder, built before anything is touched ------------------------------------------------------

release='' previous=''

fingerprint() {
  { sha256sum <"$wheel"; sha256sum <"$requirements"; "$python" -V; } | sha256sum | cut -d' ' -f1
}

build_release() {
  local mark version
  mark=$(fingerprint)
  previous=$(readlink "$HOME_DIR/current" 2>/dev/null || true)
  if [[ -n $previous && $(cat "$HOME_DIR/current/fingerprint" 2>/dev/null) == "$mark" ]]; then
    release=$previous
    say "this version is installed already; checking the rest"
    return
  fi
  version=$(basename "$wheel" | cut -d- -f2)
  release=$HOME_DIR/releases/$version-$(date -u +%Y%m%dT%H%M%SZ)
  "$python" -m zipfile -t "$wheel" >/dev/null 2>&1 || fail "the wheel is damaged" "$wheel" "copy it again"
  say "building $release"
  "$python" -m venv "$release" ||
    fail "the virtual environment could not be made" "$release" "free some disk space (300 MB) and read the message above"
  install_into_release
  echo "$mark" >"$release/fingerprint"
}

install_into_release() {
  local pip=("$release/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-input)
  local source=()
  [[ -z $wheelhouse ]] || source=(--no-index --find-links "$wheelhouse")
  "${pip[@]}" "${source[@]}" --only-binary :all: --no-deps --require-hashes -r "$requirements" ||
    fail "the dependencies could not be installed" "${wheelhouse:-the package index that pip is set up for}" \
      "read pip's last lines above; without a network give --wheelhouse with a complete folder for $("$python" -V)"
  "${pip[@]}" --no-index --no-deps "$wheel" ||
    fail "the wheel could not be installed" "$wheel" "read pip's last lines above"
  "$release/bin/tillmate" --version >/dev/null ||
    fail "the new version does not even say its number" "$release/bin/tillmate" "send the lines above to the makers"
}

# ---- user, configuration, data ---------------------------------------------------------------------------------------

make_user() {
  getent group tillmate >/dev/null || groupadd --system tillmate
  getent passwd tillmate >/dev/null ||
    useradd --system --gid tillmate --home-dir "$STATE" --no-create-home --shell /usr/sbin/nologin tillmate
  local group
  for group in dialout lp input; do
    if getent group "$group" >/dev/null; then usermod -aG "$group" tillmate; fi
  done
}

make_config() {
  local wanted=$release/config.example.toml
  "$release/bin/tillmate" config example >"$wanted"
  if [[ -n $new_config ]]; then wanted=$new_config; elif [[ -f $CONFIG ]]; then wanted=$CONFIG; fi
  "$release/bin/tillmate" check --config "$wanted" >/dev/null ||
    fail "the configuration has the mistakes named above" "$wanted" "mend them and run this again"
  install -d -m 0750 -o root -g tillmate "$CONFIG_DIR"
  if ! cmp -s "$wanted" "$CONFIG"; then
    [[ ! -f $CONFIG ]] || mv "$CONFIG" "$CONFIG.before-$(date -u +%Y%m%dT%H%M%SZ)"
    install -m 0640 -o root -g tillmate "$wanted" "$CONFIG"
    changed=yes
  fi
  chown root:tillmate "$CONFIG"
  chmod 0640 "$CONFIG"
}

make_state() {
  install -d -m 0700 "$STATE"
  # After an uninstall the folder belongs to root; the service user may have another number than before.
  [[ $(stat -c %U "$STATE") == tillmate ]] || chown -R --no-dereference tillmate:tillmate "$STATE"
}

# ---- the switch, and the way back ------------------------------------------------------------------------------------

changed=''

# put FILE TARGET: whole or not at all; remembers that something changed.
put() {
  cmp -s "$1" "$2" && return
  install -m 0644 "$1" "$2.new"
  mv "$2.new" "$2"
  changed=yes
}

point_current_at() {
  ln -sfn "$1" "$HOME_DIR/current.new"
  mv -T "$HOME_DIR/current.new" "$HOME_DIR/current"
}

systemd_runs() { [[ -d /run/systemd/system ]]; }

start_service() {
  systemctl daemon-reload
  systemctl reset-failed tillmate 2>/dev/null || true
  systemctl start tillmate || return
  # "Ready" said once is not enough: a version that falls over right after must not replace one that works.
  sleep 2
  systemctl is-active --quiet tillmate && [[ $(systemctl show --property NRestarts --value tillmate) == 0 ]]
}

switch_to_release() {
  [[ ! -f $UNIT ]] || cp "$UNIT" "$release/unit.before"
  put "$HERE/tillmate.service" "$UNIT"
  put "$HERE/60-tillmate.rules" "$RULES"
  ln -sfn "$HOME_DIR/current/bin/tillmate" "$COMMAND"
  systemctl enable --quiet tillmate
  if ! systemd_runs; then
    point_current_at "$release"
    say "systemd does not run here (an image being built?): the service will start at the next boot"
    return
  fi
  if [[ $release == "$previous" && -z $changed ]] && systemctl is-active --quiet tillmate; then
    say "nothing has changed; the service goes on running"
    return
  fi
  # Stopped first: a running Python that loads a module late must not find the next version's files.
  systemctl stop tillmate 2>/dev/null || true
  point_current_at "$release"
  if [[ -S /run/udev/control ]]; then
    udevadm control --reload || true
    udevadm trigger --subsystem-match=hidraw || say "udev did not look again: replug scanners in HID mode"
  fi
  start_service || go_back
}

go_back() {
  journalctl --unit tillmate --lines 20 --no-pager --output cat >&2 || true
  if [[ -z $previous || $previous == "$release" ]]; then
    fail "the service does not come up" "journalctl -u tillmate (last lines above)" \
      "exit codes and their cures: docs/install.md; then: systemctl restart tillmate"
  fi
  [[ ! -f $release/unit.before ]] || install -m 0644 "$release/unit.before" "$UNIT"
  systemctl stop tillmate 2>/dev/null || true
  point_current_at "$previous"
  if start_service; then
    fail "the new version does not come up (its last lines are above)" "journalctl -u tillmate" "the previous version runs again: $previous"
  fi
  fail "neither the new nor the previous version comes up" "journalctl -u tillmate" "exit codes and their cures: docs/install.md"
}

# A release that is not in use when we leave, for whatever reason, is not left lying about.
clean_up() {
  local used folder
  used=$(readlink "$HOME_DIR/current" 2>/dev/null || true)
  for folder in "$HOME_DIR"/releases/*; do
    if [[ -d $folder && $folder != "$used" && $folder != "$previous" ]]; then rm -rf "$folder"; fi
  done
}

next_steps() {
  cat <<TEXT

Tillmate $("$COMMAND" --version | grep -oE '[0-9][^ ]*' | head -1) is installed. Next:
  1. name the server, the till, its scanners and printers:   nano $CONFIG
     and check it:                                           tillmate check
  2. take it into use:                                       systemctl restart tillmate
  3. see that all is well:                                   tillmate status
     and what it says:                                       journalctl -u tillmate -f
  4. open the cashier page: this prints its address, good
     once and for five minutes, for the cashier's browser:   tillmate open --till 1 --print
TEXT
}

main() {
  read_arguments "$@"
  check_ground
  find_python
  mkdir -p "$HOME_DIR/releases"
  exec 9>"$HOME_DIR/lock"
  flock -n 9 || fail "another installation is running" "$HOME_DIR/lock" "wait for it to end"
  trap clean_up EXIT
  build_release
  make_user
  make_config
  make_state
  switch_to_release
  next_steps
}

main "$@"
