/** The page of the demo: a form, a room, a status strip. Written only against `window.reliableChannel`. */
import {
  type ChannelStatus,
  detectReliableChannel,
  type ProviderStatus,
  type ReliableChannelProvider,
} from "../../packages/reliable-channel/index.ts";
import { MAX_NAME_CHARS } from "./chat-message.ts";
import { errorWords } from "./error-words.ts";
import { Room, type RoomEncryption } from "./room.ts";
import { MessageList, sizeWords } from "./view.ts";

const LOOK_MS = 1_000;
/** Bytes of text from which the composer says how much it is. */
const SIZE_SHOWN_BYTES = 1_024;
/** Set while this tab is in a room, so that a reload comes back to it. */
const JOINED_KEY = "reliable-channel-demo:joined";

function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new TypeError(`The page has no ${kind.name} with the id ${id}`);
  return found;
}

const screens = {
  looking: byId("looking", HTMLElement),
  hint: byId("hint", HTMLElement),
  entry: byId("entry", HTMLElement),
  chat: byId("chat", HTMLElement),
};
const form = byId("join-form", HTMLFormElement);
const nameField = byId("name", HTMLInputElement);
const roomField = byId("room", HTMLInputElement);
const encryptedField = byId("encrypted", HTMLInputElement);
const openNote = byId("open-note", HTMLElement);
const joinButton = byId("join", HTMLButtonElement);
const joinWords = byId("join-words", HTMLElement);
const joinError = byId("join-error", HTMLElement);
const roomTitle = byId("room-title", HTMLElement);
const composer = byId("composer", HTMLFormElement);
const textField = byId("text", HTMLTextAreaElement);
const sendButton = byId("send", HTMLButtonElement);
const sizeLabel = byId("size", HTMLElement);
const filePicker = byId("file", HTMLInputElement);
const attachButton = byId("attach", HTMLButtonElement);
const chat = screens.chat;
const dropNote = byId("drop", HTMLElement);
const closedNote = byId("closed", HTMLElement);
const emptyNote = byId("empty", HTMLElement);
const strip = {
  network: byId("status-network", HTMLElement),
  channel: byId("status-channel", HTMLElement),
  pending: byId("status-pending", HTMLElement),
  locked: byId("status-locked", HTMLElement),
  encrypted: byId("is-encrypted", HTMLElement),
  open: byId("is-open", HTMLElement),
};

let room: Room | undefined;

const messages = new MessageList(byId("messages", HTMLOListElement), byId("scroller", HTMLElement), (row) => {
  void room?.retry(row);
});

function showScreen(name: keyof typeof screens): void {
  for (const [key, screen] of Object.entries(screens)) screen.hidden = key !== name;
}

function show(part: HTMLElement, state: string, words: string): void {
  part.dataset["state"] = state;
  const label = part.querySelector(".words");
  if (label !== null) label.textContent = words;
}

const NETWORK_WORDS: Readonly<Record<ProviderStatus["network"], string>> = {
  Connected: "Network connected",
  PartiallyConnected: "Network partly connected",
  Disconnected: "Network disconnected",
};

const HEALTH_WORDS: Readonly<Record<ChannelStatus["health"], string>> = {
  SUFFICIENTLY_HEALTHY: "Channel healthy",
  MINIMALLY_HEALTHY: "Channel has few peers",
  UNHEALTHY: "Channel has no peers",
  NOT_SUBSCRIBED: "Channel not listening",
};

function showProviderStatus({ bridge, network, locked }: ProviderStatus): void {
  strip.locked.hidden = !locked;
  if (bridge === "dead") show(strip.network, "dead", "Extension gone: reload this page");
  else if (bridge === "reconnecting") show(strip.network, "reconnecting", "Extension reconnecting");
  else show(strip.network, network, NETWORK_WORDS[network]);
}

function showChannelStatus({ state, health, pending }: ChannelStatus): void {
  if (state === "open") show(strip.channel, health, HEALTH_WORDS[health]);
  else show(strip.channel, state, state === "opening" ? "Channel opening" : "Channel closed");
  strip.pending.dataset["pending"] = String(pending);
  show(strip.pending, pending === 0 ? "idle" : "busy", pending === 1 ? "1 part pending" : `${pending} parts pending`);
}

function showClosed(words: string | undefined): void {
  closedNote.hidden = words === undefined;
  byId("closed-words", HTMLElement).textContent = words ?? "";
  textField.disabled = words !== undefined;
  sendButton.disabled = words !== undefined;
  attachButton.disabled = words !== undefined;
}

const chosenEncryption = (): RoomEncryption => (encryptedField.checked ? "key" : "none");

function showEncryption(): void {
  const encrypted = encryptedField.checked;
  openNote.hidden = encrypted;
  strip.encrypted.hidden = !encrypted;
  strip.open.hidden = encrypted;
}

/** One after another: each is as much as a message may be. */
async function sendFiles(files: Iterable<File>): Promise<void> {
  for (const file of files) await room?.sendFile(file);
}

function showJoining(joining: boolean, words = ""): void {
  joinButton.disabled = joining;
  form.setAttribute("aria-busy", String(joining));
  joinWords.textContent = words;
}

function fitComposer(): void {
  const bytes = new TextEncoder().encode(textField.value).length;
  sizeLabel.textContent = bytes >= SIZE_SHOWN_BYTES ? sizeWords(bytes) : "";
  textField.style.height = "auto";
  textField.style.height = `${Math.min(textField.scrollHeight + 2, 160)}px`;
}

async function enter(provider: ReliableChannelProvider): Promise<void> {
  const name = nameField.value.trim();
  const channel = roomField.value.trim();
  joinError.hidden = true;
  room?.leave();
  messages.clear();
  emptyNote.hidden = false;
  try {
    room = await Room.join(provider, channel, name, chosenEncryption(), {
      row: (row) => {
        emptyNote.hidden = true;
        messages.show(row);
      },
      note: (text) => messages.note(text),
      incoming: (id, done, total) => {
        emptyNote.hidden = true;
        messages.incoming(id, done, total);
      },
      incomingLost: () => messages.incomingLost(),
      status: showChannelStatus,
      closed: (reason) =>
        showClosed(
          reason === "revoked"
            ? "You took back this site’s access in the extension."
            : "This channel was closed in the extension.",
        ),
    });
  } catch (error) {
    sessionStorage.removeItem(JOINED_KEY);
    joinError.textContent = errorWords(error);
    joinError.hidden = false;
    showScreen("entry");
    showJoining(false);
    return;
  }
  sessionStorage.setItem(JOINED_KEY, channel);
  history.replaceState(null, "", `?${new URLSearchParams({ room: channel, name, encryption: chosenEncryption() })}`);
  showEncryption();
  roomTitle.textContent = channel;
  document.title = `${channel} · Reliable Channel demo`;
  showJoining(false);
  showClosed(undefined);
  showScreen("chat");
  messages.toEnd();
  textField.focus();
}

async function joinByHand(provider: ReliableChannelProvider): Promise<void> {
  showJoining(true, "The extension may ask you in a window of its own…");
  await enter(provider);
}

/** Comes back to the room after a reload, without asking anything. */
async function joinAgain(provider: ReliableChannelProvider): Promise<boolean> {
  if (sessionStorage.getItem(JOINED_KEY) !== roomField.value || !form.checkValidity()) return false;
  try {
    await provider.connect({ onlyIfTrusted: true });
  } catch {
    return false;
  }
  await enter(provider);
  return room !== undefined;
}

function send(): void {
  const text = textField.value;
  if (room === undefined || text.trim() === "" || textField.disabled) return;
  textField.value = "";
  fitComposer();
  void room.send(text);
}

function fillFromAddress(): void {
  const query = new URLSearchParams(location.search);
  const hash = new URLSearchParams(location.hash.slice(1));
  roomField.value = query.get("room") ?? hash.get("room") ?? "lobby";
  encryptedField.checked = (query.get("encryption") ?? hash.get("encryption")) !== "none";
  showEncryption();
  nameField.value = (query.get("name") ?? hash.get("name") ?? "").slice(0, MAX_NAME_CHARS);
}

async function start(): Promise<void> {
  fillFromAddress();
  const provider = await detectReliableChannel({ timeoutMs: LOOK_MS });
  if (provider === undefined) {
    showScreen("hint");
    return;
  }
  provider.on("status", showProviderStatus);
  provider.on("disconnect", ({ message, recoverable }) => {
    if (!recoverable) showClosed(message);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void joinByHand(provider);
  });
  byId("rejoin", HTMLButtonElement).addEventListener("click", () => void enter(provider));
  byId("leave", HTMLButtonElement).addEventListener("click", () => {
    sessionStorage.removeItem(JOINED_KEY);
    location.reload();
  });
  if (!(await joinAgain(provider))) {
    showScreen("entry");
    (nameField.value === "" ? nameField : joinButton).focus();
  }
  showProviderStatus(await provider.status());
}

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
textField.addEventListener("input", fitComposer);
textField.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
encryptedField.addEventListener("change", showEncryption);
attachButton.addEventListener("click", () => filePicker.click());
filePicker.addEventListener("change", () => {
  const files = [...(filePicker.files ?? [])];
  // The same file may be sent twice.
  filePicker.value = "";
  void sendFiles(files);
});
textField.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length === 0) return;
  event.preventDefault();
  void sendFiles(files);
});
chat.addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  dropNote.hidden = false;
});
chat.addEventListener("dragleave", (event) => {
  if (!(event.relatedTarget instanceof Node) || !chat.contains(event.relatedTarget)) dropNote.hidden = true;
});
chat.addEventListener("drop", (event) => {
  dropNote.hidden = true;
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length === 0) return;
  event.preventDefault();
  void sendFiles(files);
});
byId("look-again", HTMLButtonElement).addEventListener("click", () => location.reload());

void start().catch((error: unknown) => {
  joinError.textContent = errorWords(error);
  joinError.hidden = false;
});
