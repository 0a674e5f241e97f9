// Conversations and settings, kept in this browser.

const kKey = "vkgpt.chat";
const kSettings = "vkgpt.settings";

function read(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

const isText = (value) => typeof value === "string";

// What a file or another version left, as far as it makes sense.
function cleaned(list) {
  if (!Array.isArray(list)) return [];
  return list
    .filter((each) => each && Array.isArray(each.messages))
    .map((each) => ({
      id: isText(each.id) ? each.id : crypto.randomUUID?.() ?? String(Math.random()),
      title: isText(each.title) ? each.title.slice(0, 200) : "",
      changed: Number(each.changed) || 0,
      messages: each.messages
        .filter((message) => message && ["user", "assistant"].includes(message.role) && isText(message.content))
        .map(({ role, content, rate, problem, note }) => ({
          role,
          content,
          ...(isText(rate) && { rate }),
          ...(isText(problem) && { problem }),
          ...(isText(note) && { note }),
        })),
    }));
}

export class Store {
  constructor() {
    this.conversations = cleaned(read(kKey, []));
    this.settings = read(kSettings, {});
  }

  // False where the browser's room is used up.
  save() {
    try {
      localStorage.setItem(kKey, JSON.stringify(this.conversations));
      localStorage.setItem(kSettings, JSON.stringify(this.settings));
      return true;
    } catch {
      return false;
    }
  }

  add() {
    const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    const conversation = { id, title: "", changed: Date.now(), messages: [] };
    this.conversations.unshift(conversation);
    return conversation;
  }

  remove(id) {
    this.conversations = this.conversations.filter((each) => each.id !== id);
    this.save();
  }

  // Newest first.
  touch(conversation) {
    conversation.changed = Date.now();
    this.conversations = [conversation, ...this.conversations.filter((each) => each !== conversation)];
    this.save();
  }

  exported() {
    return JSON.stringify({ vkgpt_conversations: this.conversations }, null, 1);
  }

  // The number of conversations that `text` brought. Throws where it brings none.
  import(text) {
    const brought = cleaned(JSON.parse(text).vkgpt_conversations);
    if (brought.length === 0) throw new Error("the file holds no conversations");
    const known = new Set(this.conversations.map((each) => each.id));
    for (const each of brought) if (known.has(each.id)) each.id = `${each.id}-${Date.now()}`;
    this.conversations = [...brought, ...this.conversations];
    this.save();
    return brought.length;
  }
}
