# Sourced from the checkout's root: the Mesa that tools/install_deps.sh unpacked in .vkgpt/mesa, whose CPU driver trains
# two to three times as fast as that of Debian 13.
has_gpu() { compgen -G '/dev/dri/renderD*' >/dev/null || [ -e /proc/driver/nvidia ] || [ -e /dev/dxg ]; }

# What is started from here on sees that driver alone, where it is there and no others are named or needed.
use_newer_mesa() {
  if [ -e .vkgpt/mesa/env ] && [ -z "${VK_DRIVER_FILES:-}" ] && ! has_gpu; then . .vkgpt/mesa/env; fi
}
