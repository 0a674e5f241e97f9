# Sourced by the commands that build, `. tools/prepare.sh SET "$@"`: gets what SET of tools/install_deps.sh names, then
# goes on in the private root where there is one.
tools/install_deps.sh "$1" || { echo "$(basename "$0"): getting what vkgpt needs failed" >&2; exit 1; }
if [ -d .vkgpt/root ] && [ ! -e /etc/vkgpt-root ]; then exec tools/run "tools/$(basename "$0")" "${@:2}"; fi
. tools/cpu_driver.sh
# Tests run on the CPU unless a device is named, whatever GPUs there are.
if [ "$1" = test ] && [ -z "${VKGPT_DEVICE:-}" ] && [ -e .vkgpt/mesa/env ]; then . .vkgpt/mesa/env; else use_newer_mesa; fi
