#!/bin/bash
# A Debian for qemu; sourced by usb.sh and powercut.sh after rig.sh.

# Kernel, initrd and root file system of the guest in one folder. What is in it and never changes is made here; the
# product and the tests come on a second disk, made for each run.
make_machine() {
  local machine
  machine=$RIG/usb-$SUITE-$(declare -f make_machine furnish | sha256sum | cut -c1-16)
  export RIG_MACHINE=$machine
  [[ ! -d $machine ]] || return 0
  local root=$RIG/$SUITE-usb
  make_root "$root" systemd,systemd-sysv,dbus,udev,procps,python3,libusb-1.0-0,linux-image-amd64,initramfs-tools
  rm -rf "$RIG"/usb-"$SUITE"-*
  mkdir "$machine.new"
  furnish "$root"
  echo "making its disk image"
  mke2fs -q -F -t ext4 -d "$root" "$machine.new/root.img" 3G
  cp -L "$root/vmlinuz" "$root/initrd.img" "$machine.new"
  mv "$machine.new" "$machine"
}

furnish() {
  local root=$1
  printf '%s\n' virtio_pci virtio_blk ext4 >"$root/etc/initramfs-tools/modules"
  echo MODULES=list >"$root/etc/initramfs-tools/conf.d/rig"
  chroot "$root" update-initramfs -u >/dev/null
  echo vhci-hcd >"$root/etc/modules-load.d/rig.conf"
  echo '/dev/vdb /mnt ext4 ro 0 0' >"$root/etc/fstab"
  cat >"$root/etc/systemd/system/rig.service" <<'UNIT'
[Unit]
Description=What the tests command in this machine
RequiresMountsFor=/mnt
[Service]
ExecStart=/usr/bin/python3 -P /mnt/guest/main.py
Environment=PYTHONPATH=/mnt/site:/mnt/guest
StandardOutput=journal+console
[Install]
WantedBy=multi-user.target
UNIT
  chroot "$root" systemctl --quiet enable rig.service
  chroot "$root" systemctl --quiet mask getty.target apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer
}

# The disk that changes: the product with its dependencies, and what else is named; guest/main.py is the program that the
# tests command.
make_medium() {
  local medium=$RIG/medium.$$
  mkdir -p "$medium"
  "$BIN/python" -P -m build --wheel --no-isolation --outdir "$medium" . >/dev/null
  cp -r "$DEPENDENCIES" "$medium/site"
  "$BIN/python" -m zipfile -e "$medium"/tillmate-*.whl "$medium/site"
  compile "$medium/site"
  cp -r "$@" "$medium"
  export RIG_MEDIUM=$medium.img
  mke2fs -q -F -t ext4 -d "$medium" "$RIG_MEDIUM" 500M
}

# The dependencies, unpacked where no pip is needed.
make_site() {
  DEPENDENCIES=$RIG/site-${RIG_WHEELS##*/}
  [[ ! -d $DEPENDENCIES ]] || return 0
  rm -rf "$RIG"/site-*
  mkdir "$DEPENDENCIES.new"
  local wheel
  for wheel in "$RIG_WHEELS"/*.whl; do "$BIN/python" -m zipfile -e "$wheel" "$DEPENDENCIES.new"; done
  compile "$DEPENDENCIES.new"
  mv "$DEPENDENCIES.new" "$DEPENDENCIES"
}

# Saves the slow guest the work, where the Python here is of the same version.
compile() {
  "$BIN/python" -m compileall -q "$1" >/dev/null || true
}

finish() {
  rm -rf "$RIG/medium.$$" "$RIG/medium.$$.img"
  echo "$TARGET took $SECONDS s in all"
}

# All that a test in qemu needs; what is named goes to the guest: prepare_qemu PATH...
prepare_qemu() {
  needs debootstrap mke2fs qemu-system-x86_64 -- debootstrap e2fsprogs qemu-system-x86
  trap finish EXIT
  make_machine
  make_wheelhouse 3.11
  make_site
  make_medium "$@"
}
