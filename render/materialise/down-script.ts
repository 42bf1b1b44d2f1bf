/**
 * The text of down.sh. It goes by what up.sh wrote down, and looks whether that is still the same: a namespace by its
 * inode, a process by the time it was started.
 */
export const downScript = `#!/usr/bin/env bash
# Takes down what up.sh made, and nothing else.
set -euo pipefail
cd "$(dirname "\${BASH_SOURCE[0]}")"
if [ ! -e .up ]; then
  echo 'Nothing is up.'
  exit 0
fi

world=$(sed -n 's/^world //p' .up)
here="$(cat /proc/sys/kernel/random/boot_id) $(readlink /proc/self/ns/mnt)"
if [ "\${world% *}" = "\${here% *}" ]; then
  while read -r pid start; do
    if [ "$({ sed 's/.*) //' "/proc/$pid/stat" | cut -d ' ' -f 20; } 2> /dev/null)" = "$start" ]; then
      kill "$pid"
      for _ in {1..100}; do [ -e "/proc/$pid" ] && sleep 0.05 || break; done
    fi
  done < <(sed -n 's/^process //p' .up)
fi
# Namespaces and mounts of another boot, or of a shell that has ended, are gone with it.
if [ "$world" = "$here" ]; then
  while read -r inode name; do
    if [ "$(stat -Lc %i "/run/netns/$name" 2> /dev/null)" = "$inode" ]; then echo "netns del $name"; fi
  done < <(sed -n 's/^netns //p' .up) | ip -batch -
  while read -r what path; do
    if [ "$path" = /run/netns ] && [ -n "$(ls /run/netns)" ]; then continue; fi
    if [ "$what" = mounted ]; then umount "$path"; else rmdir "$path"; fi
  done < <(grep -E '^(mounted|folder) ' .up | tac)
fi
rm -f .up .xtables.lock .*.ctl .*.pid
echo 'The cluster is down.'
`
