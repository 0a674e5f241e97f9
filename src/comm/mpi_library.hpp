#pragma once

#include "comm/mpi_api.hpp"

namespace vkgpt::comm {

/// Opens the plug-in, which stays open. Throws `Error` where there is none or its MPI does not load.
const VkgptMpi& open_mpi_library();

}  // namespace vkgpt::comm
