#pragma once

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/text/model_fields.hpp"

namespace vkgpt::train {

/// The names and help of `TrainConfig`'s fields about documents and conversations.
struct ConversationFields {
  template <typename Visitor, typename Self>
  static void visit(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Documents and conversations";
    visit(
        FieldInfo{
            .name = "pack",
            .group = kGroup,
            .help =
                "Whole documents share windows, attention stays inside each; none: conversations alone in "
                "theirs, texts as one long stretch; auto: documents for conversations",
            .choices = "auto|documents|none"},
        self.pack);
    visit(FieldInfo{.name = "train_on",
                    .group = kGroup,
                    .help = "Of conversations, what is learned: what the assistant says, or everything",
                    .choices = "responses|all"},
          self.train_on);
    visit(FieldInfo{.name = "overlong",
                    .group = kGroup,
                    .help = "Conversations that are longer than block_size; documents of texts are split",
                    .choices = "truncate|drop|error"},
          self.overlong);
    visit(FieldInfo{.name = "bad_data",
                    .group = kGroup,
                    .help = "Conversations that cannot be used: refuse the file, or pass over them",
                    .choices = "error|skip"},
          self.bad_data);
    visit(text::chat_template_field(kGroup), self.chat_template);
    visit(FieldInfo{.name = "chat_time",
                    .group = kGroup,
                    .help = "When the run began, in seconds since 1970: the date that a chat template which "
                            "writes one is told, also after --resume; 0: now",
                    .min = 0,
                    .file_only = true},
          self.chat_time);
    visit(FieldInfo{.name = "objective",
                    .group = kGroup,
                    .help = "What is learned: the next token, or to prefer the chosen reply of pairs to the "
                            "rejected one (direct preference optimization)",
                    .choices = "tokens|dpo"},
          self.objective);
    visit(FieldInfo{.name = "dpo_beta",
                    .group = kGroup,
                    .help = "How closely dpo stays with the model that it begins with",
                    .min = 0,
                    .max = 1e3,
                    .min_open = true},
          self.dpo_beta);
    visit(FieldInfo{.name = "dpo_label_smoothing",
                    .group = kGroup,
                    .help = "Share of pairs that dpo takes for the wrong way round",
                    .min = 0,
                    .max = 0.5},
          self.dpo_label_smoothing);
  }
};

}  // namespace vkgpt::train
