#!/bin/bash
# Removes Tillmate: program, service, rules, configuration and user. Leaves only the data folder /var/lib/tillmate.
#
#   sudo ./uninstall.sh [--purge]
#
#   --purge   remove the data folder too. Sales in it that the server has not had yet are lost for ever.
set -euo pipefail

readonly STATE=/var/lib/tillmate
readonly CONFIG=/etc/tillmate/config.toml

fail() {
  printf 'tillmate: FAILED: %s\n  do: %s\n' "$1" "$2" >&2
  exit 1
}

purge=''
case ${1:-} in
  '') ;;
  --purge) purge=yes ;;
  *) fail "unknown option $1" "use --purge or nothing" ;;
esac
[[ $EUID -eq 0 ]] || fail "not run as root" "run it again with sudo"

stop_service() {
  if [[ -d /run/systemd/system ]]; then systemctl stop tillmate 2>/dev/null || true; fi
  systemctl disable --quiet tillmate 2>/dev/null || true
  rm -rf /etc/systemd/system/tillmate.service /etc/systemd/system/tillmate.service.d
  if [[ -d /run/systemd/system ]]; then
    systemctl daemon-reload
    systemctl reset-failed tillmate 2>/dev/null || true
  fi
}

remove_files() {
  rm -f /etc/udev/rules.d/60-tillmate.rules
  if [[ -S /run/udev/control ]]; then udevadm control --reload || true; fi
  if [[ $(readlink /usr/local/bin/tillmate 2>/dev/null) == /opt/tillmate/* ]]; then rm /usr/local/bin/tillmate; fi
  rm -rf /opt/tillmate
}

# The last configuration goes into the data folder: whoever installs again will want it.
keep_or_purge_data() {
  if [[ -n $purge ]]; then
    rm -rf "$STATE"
  elif [[ -d $STATE ]]; then
    if [[ -f $CONFIG ]]; then install -m 0600 "$CONFIG" "$STATE/config.toml.uninstalled"; fi
    # A later system user may get the number that is free now; the data must not become theirs.
    chown -R --no-dereference root:root "$STATE"
  fi
  rm -rf /etc/tillmate
}

remove_user() {
  if getent passwd tillmate >/dev/null; then userdel tillmate; fi
  if getent group tillmate >/dev/null; then groupdel tillmate; fi
}

stop_service
remove_files
keep_or_purge_data
remove_user
if [[ -d $STATE ]]; then
  echo "tillmate: removed. The data stays in $STATE; uninstall.sh --purge removes it too."
else
  echo "tillmate: removed with all its data."
fi
