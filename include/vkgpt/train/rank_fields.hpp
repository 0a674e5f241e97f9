#pragma once

#include "vkgpt/core/config_field.hpp"

namespace vkgpt::train {

/// The names, ranges and help of `TrainConfig`'s fields about several devices.
struct RankFields {
  static constexpr auto kGroup = "Several devices";

  template <typename Visitor, typename Self>
  static void visit_exchange(Visitor& visit, Self& self) {
    visit(
        FieldInfo{.name = "sum_order",
                  .group = kGroup,
                  .help = "Order in which micro-steps are summed: by rank, or by step: the same bits for any "
                          "number of ranks, at an exchange for each micro-step",
                  .choices = "rank|step"},
        self.sum_order);
    visit(FieldInfo{.name = "wire",
                    .group = kGroup,
                    .help = "Type in which gradients travel between ranks",
                    .choices = "f32|bf16"},
          self.wire);
    visit(FieldInfo{.name = "bucket_mib",
                    .group = kGroup,
                    .help = "MiB of gradients that are sent together while the backward goes on",
                    .min = 0.001,
                    .max = 1024},
          self.bucket_mib);
    visit(
        FieldInfo{.name = "balance",
                  .group = kGroup,
                  .help = "Micro-steps of the ranks: even, auto (by measured speed), or shares such as 5,3"},
        self.balance);
    visit(FieldInfo{.name = "comm_timeout",
                    .group = kGroup,
                    .help = "Seconds without a message after which a rank counts as lost",
                    .min = 1,
                    .max = 1e6},
          self.comm_timeout);
  }

  template <typename Visitor, typename Self>
  static void visit_rounds(Visitor& visit, Self& self) {
    visit(FieldInfo{.name = "sync",
                    .group = kGroup,
                    .help = "When ranks come together: every step, or (experimental) after rounds of steps "
                            "that each takes alone",
                    .choices = "step|diloco"},
          self.sync);
    visit(FieldInfo{.name = "sync_every",
                    .group = kGroup,
                    .help = "Steps of a round of --sync diloco",
                    .min = 1,
                    .max = 1e6},
          self.sync_every);
    visit(FieldInfo{.name = "outer_lr",
                    .group = kGroup,
                    .help = "Learning rate of the step between rounds",
                    .min = 0,
                    .max = 10},
          self.outer_lr);
    visit(FieldInfo{.name = "outer_momentum",
                    .group = kGroup,
                    .help = "Its momentum; -1 is 0.9 for a run of 100 rounds or more, else 0.5",
                    .min = -1,
                    .max = 1,
                    .max_open = true},
          self.outer_momentum);
    visit(FieldInfo{.name = "outer_bits",
                    .group = kGroup,
                    .help = "Bits in which a weight's difference travels after a round: 32, 8 or 4",
                    .min = 4,
                    .max = 32},
          self.outer_bits);
  }
};

}  // namespace vkgpt::train
