#!/bin/bash
# Removes Tillmate: program, service, rules, configuration and user. Leaves only the data folder /var/lib/tillmate.
#
#   sudo ./uninstall.sh [--purge [--discard-unsent]]
#
#   --purge            remove the data folder too; refused while it holds sales that the server has not had yet
#   --discard-unsent   purge even then: those sales, and the points of those customers, are lost for ever
set -euo pipefail

readonly STATE=/var/lib/tillmate
readonly CONFIG=/etc/tillmate/config.toml

fail() {
  printf 'tillmate: FAILED: %s\n  do: %s\n' "$1" "$2" >&2
  exit 1
}

purge='' discard=''
for option in "$@"; do
  case $option in
    --purge) purge=yes ;;
    --discard-unsent) discard=yes ;;
    *) fail "unknown option $option" "use --purge, --purge --discard-unsent, or nothing" ;;
  esac
done
[[ $EUID -eq 0 ]] || fail "not run as root" "run it again with sudo"

# How many rows wait for the server; nothing if that cannot be told.
unsent() {
  local tillmate=/opt/tillmate/current/bin/tillmate
  if [[ -x $tillmate && -f $STATE/queue.db ]]; then
    "$tillmate" queue list --limit 1 --json 2>/dev/null | grep -oE '"pending": *[0-9]+' | grep -oE '[0-9]+' | head -n 1 || true
  else
    [[ -f $STATE/queue.db ]] || echo 0
  fi
}

look_before_purge() {
  local waiting
  waiting=$(unsent)
  case $waiting in
    0) ;;
    '') fail "it cannot be told whether $STATE/queue.db holds sales that the server has not had" \
      "keep the folder, or purge with --discard-unsent" ;;
    *) fail "$waiting sales and enrolments in $STATE/queue.db have not reached the server" \
      "let the agent run until tillmate status shows an empty queue, or purge with --discard-unsent" ;;
  esac
}

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

if [[ -n $purge && -z $discard ]]; then look_before_purge; fi
stop_service
remove_files
keep_or_purge_data
remove_user
if [[ -d $STATE ]]; then
  echo "tillmate: removed. The data stays in $STATE; uninstall.sh --purge removes it too."
else
  echo "tillmate: removed with all its data."
fi
