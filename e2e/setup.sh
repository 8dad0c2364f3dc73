#!/usr/bin/env bash
# Brings what the tests need on Debian or Ubuntu: packages, the npm folder, the Python environment.
# Only what is missing is installed, so a second run is quick and needs no network.
set -euo pipefail
cd "$(dirname "$0")"

has() { command -v "$1" >/dev/null; }
is_ubuntu() { grep -q '^ID=ubuntu' /etc/os-release; }

# Debian's packages, each named because a command or module of it is not there.
missing=()
want() { "${@:2}" 2>/dev/null || missing+=("$1"); }
want build-essential has cc
want curl            has curl
want dbus            has dbus-daemon
want iproute2        has ip
want libcap2-bin     has setcap
want nodejs          has node
want npm             has npm
want dropbear-bin    test -x /usr/sbin/dropbear
want openssh-client  has ssh-keygen
want openssh-server  test -x /usr/sbin/sshd
want openssl         has openssl
want procps          has sysctl
want python3-dbusmock /usr/bin/python3 -c 'import dbusmock'
want python3-venv    python3 -c 'import ensurepip, venv'
want redis-server    has redis-server
want strace          has strace
want util-linux      has unshare
# Ubuntu's chromium is a snap, which containers cannot run; playwright's own build takes its place below.
is_ubuntu || want chromium has chromium

as_root() { if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi; }
if ((${#missing[@]})); then
  echo "installing: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Runs an installation unless it was done before for exactly these files.
once() {
  local stamp=$1 inputs=$2 && shift 2
  local now && now=$(sha256sum $inputs)
  if [[ -e $stamp && $(<"$stamp") == "$now" ]]; then return; fi
  "$@" && printf '%s\n' "$now" >"$stamp"
}

node_modules() { npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; }
once node_modules/.installed "package.json package-lock.json" node_modules

# `npm install` keeps to the lock file too, but does not ask for the packages of other platforms, which a mirror may lack.
bullmq_modules() { (cd bullmq && npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error); }
once bullmq/node_modules/.installed "bullmq/package.json bullmq/package-lock.json" bullmq_modules

# All pins are written out and --no-deps keeps to them: fastmcp asks for a newer certifi than it needs.
python_environment() {
  rm -rf .venv
  python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements.txt
}
once .venv/.installed "requirements.txt" python_environment

if is_ubuntu && ! has chromium && ! has google-chrome && [[ ! -d ~/.cache/ms-playwright ]]; then
  as_root env PLAYWRIGHT_BROWSERS_PATH="$HOME/.cache/ms-playwright" \
    "$PWD"/node_modules/node-linux-*/bin/node node_modules/playwright-core/cli.js install --with-deps --only-shell chromium
fi
