#pragma once

namespace vkgpt {

/// From now on the first SIGINT, SIGTERM, SIGXCPU, SIGUSR1 (by which batch systems warn) or SIGHUP (unless
/// ignored, as under nohup) only sets a flag, with a line on stderr; a second SIGINT or SIGTERM ends the
/// process at once with exit code 130.
/// Writes to a closed pipe or past a limit of file sizes fail instead of killing the process.
void install_interrupt_handlers();

/// The same for one of several ranks: without the line, which the launcher writes.
void install_rank_interrupt_handlers();

/// Whether a signal has arrived. Long work polls it at every submit boundary, saves and ends with
/// `ExitCode::kInterrupted`. Safe from several threads.
bool interrupted();

/// Forgets the signal.
void clear_interrupt();

}  // namespace vkgpt
