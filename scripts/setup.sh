#!/usr/bin/env bash
# Makes a fresh Debian machine able to run everything: apt packages and npm packages (with Node 24 among them).
# Quick when all is there; works again after an abort.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[2m[setup]\033[0m %s\n' "$*" >&2; }
fail() { printf '[setup] %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail 'root is needed (network namespaces, mounts, apt): run as root'
command -v apt-get >/dev/null || fail 'a Debian machine is needed (no apt-get here)'
command -v npm >/dev/null || fail 'npm is needed, of any version: apt-get install npm'
command -v go >/dev/null || fail 'go is needed to build Kubernetes for the lab: https://go.dev/dl/'

missing=()
while read -r package; do
  case "$package" in ''|'#'*) continue ;; esac
  status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
  [ "${status:0:2}" = ii ] || missing+=("$package")
done < scripts/apt-packages.txt

if [ "${#missing[@]}" -gt 0 ]; then
  say "installing Debian packages: ${missing[*]}"
  # The tests start these programs themselves, in their own directories: no service may run on the machine.
  policy=/usr/sbin/policy-rc.d
  made=no
  [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod 755 "$policy"; made=yes; }
  trap '[ "$made" = yes ] && rm -f "$policy"' EXIT
  export DEBIAN_FRONTEND=noninteractive
  options=(-o DPkg::Lock::Timeout=600 -y --no-install-recommends)
  dpkg --configure -a >/dev/null 2>&1 || true
  apt-get install "${options[@]}" "${missing[@]}" >/tmp/mooring-apt.log 2>&1 || {
    say 'package lists are old: apt-get update'
    apt-get -o DPkg::Lock::Timeout=600 update >>/tmp/mooring-apt.log 2>&1
    apt-get install "${options[@]}" "${missing[@]}" >>/tmp/mooring-apt.log 2>&1 || { tail -20 /tmp/mooring-apt.log >&2; fail 'apt-get failed; the whole log: /tmp/mooring-apt.log'; }
  }
fi

lock=$(sha256sum package-lock.json package.json .npmrc | sha256sum | cut -d' ' -f1)
if [ "$(cat node_modules/.mooring-lock 2>/dev/null || true)" != "$lock" ] || [ ! -x node_modules/.bin/node ]; then
  say 'installing npm packages (and Node 24 with them)'
  npm ci --no-audit --no-fund --ignore-scripts >/tmp/mooring-npm.log 2>&1 || { tail -20 /tmp/mooring-npm.log >&2; fail 'npm ci failed; the whole log: /tmp/mooring-npm.log'; }
  echo "$lock" > node_modules/.mooring-lock
fi
