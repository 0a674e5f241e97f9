// Conversations and settings, kept in this browser: a key for each conversation, so that pages that are open at the same
// time do not write over each other's.

const kPrefix = "vkgpt.chat.";
const kList = "vkgpt.chat"; // all conversations, as earlier versions kept them
const kSettings = "vkgpt.settings";

function read(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

const isText = (value) => typeof value === "string";
const newId = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
const keyOf = ({ id }) => kPrefix + id;

// What a file or another version left, as far as it makes sense.
function cleaned(list) {
  if (!Array.isArray(list)) return [];
  return list
    .filter((each) => each && Array.isArray(each.messages))
    .map((each) => ({
      id: isText(each.id) ? each.id : newId(),
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

function parsed(key, text) {
  try {
    const [conversation] = cleaned([JSON.parse(text)]);
    return conversation && { ...conversation, id: key.slice(kPrefix.length) };
  } catch {
    return undefined;
  }
}

// Divides the list of an earlier version into keys. Where there is no room for them it stays, and is given.
function divideList() {
  const text = localStorage.getItem(kList), all = read(kList, null);
  if (!Array.isArray(all)) return [];
  const list = cleaned(all);
  const written = [];
  try {
    localStorage.removeItem(kList); // its room is needed
    for (const each of list) {
      const key = keyOf(each);
      if (localStorage.getItem(key) !== null) continue;
      localStorage.setItem(key, JSON.stringify(each));
      written.push(key);
    }
    return [];
  } catch {
    for (const key of written) localStorage.removeItem(key);
    localStorage.setItem(kList, text);
    return list;
  }
}

export class Store {
  #kept = new Map(); // the text of each key, as it was last read or written
  #unkept = new Map(); // what the browser had no room for, by key
  #onChange;
  #onRoom;

  // `onChange(conversation)`: another page wrote or deleted it, or, where there is none, the settings.
  // `onRoom(isFull)`: whether something could not be kept.
  constructor(onChange, onRoom) {
    this.#onChange = onChange;
    this.#onRoom = onRoom;
    this.busy = null; // the conversation that this page is just writing
    this.conversations = [];
    this.settings = read(kSettings, {});
    try {
      this.#load();
    } catch {
      this.#unkept.set(kList, null); // storage is forbidden
    }
    addEventListener("storage", (event) => this.#follow(event));
    addEventListener("pageshow", ({ persisted }) => persisted && this.#followAll()); // a page that slept heard nothing
    this.#onRoom(this.#unkept.size > 0);
  }

  #load() {
    const undivided = divideList();
    for (const key of Object.keys(localStorage)) if (key.startsWith(kPrefix)) this.#take(key);
    const known = new Set(this.conversations.map((each) => each.id));
    for (const each of undivided) {
      if (known.has(each.id)) continue;
      this.conversations.push(each);
      this.#unkept.set(keyOf(each), each);
    }
    this.#sort();
  }

  // The conversation of a key that is new here.
  #take(key) {
    const text = localStorage.getItem(key);
    const conversation = parsed(key, text);
    if (!conversation) return null;
    this.#kept.set(key, text);
    this.conversations.push(conversation);
    return conversation;
  }

  // Newest first.
  #sort() {
    this.conversations.sort((a, b) => b.changed - a.changed);
  }

  #stored(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage is forbidden
    }
  }

  #keep(key, value) {
    const text = JSON.stringify(value);
    try {
      localStorage.setItem(key, text);
      this.#kept.set(key, text);
      this.#unkept.delete(key);
    } catch {
      this.#unkept.set(key, value);
    }
    this.#onRoom(this.#unkept.size > 0);
  }

  #forget(conversation) {
    this.conversations = this.conversations.filter((each) => each !== conversation);
    this.#kept.delete(keyOf(conversation));
    this.#unkept.delete(keyOf(conversation));
  }

  // Tries again what there was no room for.
  #retry() {
    for (const [key, value] of [...this.#unkept]) if (value) this.#keep(key, value);
    this.#onRoom(this.#unkept.size > 0);
  }

  // What another page did. The newest counts, which may be this page's own.
  #follow({ key, storageArea }) {
    if (storageArea !== localStorage) return;
    if (key === null) {
      this.#followAll();
    } else if (key.startsWith(kPrefix)) {
      this.#followOne(key);
    }
    if (key === null || key === kSettings) {
      this.settings = read(kSettings, {});
      this.#onChange(null);
    }
    this.#retry();
  }

  #followAll() {
    for (const key of new Set([...this.#kept.keys(), ...Object.keys(localStorage)])) {
      if (key.startsWith(kPrefix)) this.#followOne(key);
    }
  }

  #followOne(key) {
    const text = this.#stored(key);
    if (text === (this.#kept.get(key) ?? null)) return;
    let conversation = this.conversations.find((each) => keyOf(each) === key);
    if (text === null) {
      if (conversation) this.#forget(conversation);
    } else if (conversation && (conversation === this.busy || this.#unkept.has(key))) {
      // Both pages went on with it: what is here becomes another.
      conversation.id = newId();
      this.#unkept.delete(key);
      this.#keep(keyOf(conversation), conversation);
      this.#take(key);
    } else if (conversation) {
      const changed = parsed(key, text);
      if (!changed) return;
      Object.assign(conversation, changed);
      this.#kept.set(key, text);
    } else {
      conversation = this.#take(key);
    }
    this.#sort();
    if (conversation) this.#onChange(conversation);
  }

  saveSettings() {
    this.#keep(kSettings, this.settings);
  }

  // Another conversation, which is kept as soon as it is touched.
  add() {
    const conversation = { id: newId(), title: "", changed: Date.now(), messages: [] };
    this.conversations.unshift(conversation);
    return conversation;
  }

  remove(conversation) {
    this.#forget(conversation);
    try {
      localStorage.removeItem(keyOf(conversation));
      const undivided = read(kList, null);
      if (undivided) {
        localStorage.setItem(kList, JSON.stringify(cleaned(undivided).filter((each) => each.id !== conversation.id)));
        divideList();
      }
    } catch {
      return; // storage is forbidden: nothing was kept
    }
    this.#retry();
  }

  // Keeps a conversation that has changed and puts it first; one that was deleted, here or in another page, stays so.
  touch(conversation) {
    if (!this.conversations.includes(conversation)) return;
    this.#followOne(keyOf(conversation)); // events may be late
    if (!this.conversations.includes(conversation)) return;
    conversation.changed = Date.now();
    this.#sort();
    this.#keep(keyOf(conversation), conversation);
  }

  exported() {
    return JSON.stringify({ vkgpt_conversations: this.conversations }, null, 1);
  }

  // The conversations that `text` brought. Throws where it brings none.
  import(text) {
    const brought = cleaned(JSON.parse(text)?.vkgpt_conversations);
    if (brought.length === 0) throw new Error("the file holds no conversations");
    const known = new Set(this.conversations.map((each) => each.id));
    for (const each of brought) {
      if (known.has(each.id)) each.id = newId();
      known.add(each.id);
    }
    this.conversations = [...this.conversations, ...brought];
    this.#sort();
    for (const each of brought) this.#keep(keyOf(each), each);
    return brought;
  }
}
