#include "vkgpt/core/check.hpp"
#include "vkgpt/text/corpus/dataset.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(dataset) {
  write_input(text::kDatasetFile, input);
  const text::DatasetManifest manifest = text::read_dataset_manifest(directory());
  text::write_dataset_manifest(directory(), manifest);
  VKGPT_CHECK(text::read_dataset_manifest(directory()).splits == manifest.splits);
}

}  // namespace vkgpt::fuzz
