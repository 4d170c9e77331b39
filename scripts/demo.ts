/** The demo of `npm start`: network, site, and two people; `--headless` plays their conversation and checks it. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { encodeChatMessage } from "../dev/demo/chat-message.ts";
import type { ChromiumProfile } from "../test/support/chromium.ts";
import { DemoPage } from "../test/support/demo-page.ts";
import { allowWithNewKey, Popup } from "../test/support/popup.ts";
import { DEMO_SCREENSHOTS, screenshots } from "../test/support/screenshots.ts";
import { Stack } from "../test/support/stack.ts";
import { say } from "./lib/log.mjs";

/** Milliseconds for the whole conversation: about ten times what it takes. */
const CONVERSATION_MS = 240_000;
const LARGE_MESSAGE_BYTES = 300 * 1024;
const ROOM = "kitchen";
const SECRET_ROOM = "pantry";
const FILE_BYTES = 1024 * 1024;
const NAMES = ["Alice", "Bob"] as const;

type Name = (typeof NAMES)[number];
interface Person {
  readonly name: Name;
  readonly profile: ChromiumProfile;
  chat: DemoPage;
}
/** What a step of the conversation showed; `event` is the name in the provider's contract. */
interface Shown {
  readonly requestId: string | null;
  readonly event: string;
}

const quote = (text: string): string => (text.length > 60 ? `${text.length} characters` : `“${text}”`);

class Conversation {
  readonly #stack: Stack;
  /** What is being waited for, should the time run out. */
  current = "the start";

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  async #step(step: string, from: string, to: string, run: () => Promise<Shown>): Promise<string | null> {
    this.current = `${step} (${from} → ${to})`;
    const began = performance.now();
    const { requestId, event } = await run();
    const ms = Math.round(performance.now() - began);
    process.stdout.write(`${JSON.stringify({ step, from, to, requestId, event, ms })}\n`);
    return requestId;
  }

  /** Everything that the demo shows, once; rejects at the first step that is not seen at the other end. */
  async play(): Promise<void> {
    const [alice, bob] = await Promise.all([this.#person("Alice"), this.#person("Bob")]);
    await this.#enter(alice);
    await this.#enter(bob);
    await this.#say("text", alice, bob, "The kettle is on. Tea?");
    await this.#say("text", bob, alice, "Yes please, two minutes!");
    await this.#say("large message", alice, bob, "Tea leaves. ".repeat(LARGE_MESSAGE_BYTES / 12));
    await this.#reload(bob);
    await this.#say("text after reload", alice, bob, "It is ready.");
    await this.#replay(alice, bob);
    await screenshots(alice.chat.page, DEMO_SCREENSHOTS, "site");
    await this.#ephemeral(alice, bob);
    await this.#popup(alice);
    await this.#popup(bob);
    await this.#encryptedRoom(alice, bob);
  }

  async #person(name: Name): Promise<Person> {
    const profile = await this.#stack.profile();
    return { name, profile, chat: await DemoPage.open(profile, this.#stack.demo.url, name, ROOM) };
  }

  async #enter({ name, profile, chat }: Person): Promise<void> {
    await this.#step("connect", name, name, async () => {
      await chat.pressConnect();
      const prompt = await profile.waitForPrompt();
      if (name === "Alice") await screenshots(prompt, DEMO_SCREENSHOTS, "prompt");
      await profile.answerPrompt("always");
      await chat.inRoom();
      return { requestId: null, event: "connect" };
    });
  }

  /** One message to the other end, and the other end's acknowledgement back. */
  async #say(step: string, from: Person, to: Person, text: string): Promise<void> {
    const requestId = await this.#step(`${step}: ${quote(text)}`, from.name, to.name, async () => {
      const sent = await from.chat.send(text);
      await to.chat.received(text);
      return { requestId: sent, event: "reliable:message:received" };
    });
    await this.#step(`${step}: delivered tick`, to.name, from.name, () => this.#tick(from, requestId));
  }

  async #tick(person: Person, requestId: string | null): Promise<Shown> {
    if (requestId === null) throw new Error("There is no request to wait for");
    await person.chat.delivered(requestId);
    return { requestId, event: "reliable:message:delivered" };
  }

  /** A reload shows what was there before, each message once. */
  async #reload({ name, chat }: Person): Promise<void> {
    const before = await chat.texts();
    await this.#step("reload: the same history", name, name, async () => {
      await chat.page.reload();
      await chat.inRoom();
      const after = await chat.texts();
      const same = after.length === before.length && before.every((text) => after.includes(text));
      if (!same) throw new Error(`${before.length} messages before the reload, ${after.length} after it`);
      return { requestId: null, event: "reliable:message:received" };
    });
  }

  /** A message to somebody whose page is closed is replayed when it is opened again. */
  async #replay(from: Person, to: Person): Promise<void> {
    const text = "I put yours by the window.";
    await to.chat.page.close();
    const requestId = await this.#step("to a closed page: delivered tick", to.name, from.name, async () =>
      this.#tick(from, await from.chat.send(text)),
    );
    await this.#step("replay", from.name, to.name, async () => {
      to.chat = await DemoPage.open(to.profile, this.#stack.demo.url, to.name, ROOM);
      await to.chat.pressConnect();
      const { replayed } = await to.chat.received(text);
      if (!replayed) throw new Error("The message was shown, but not as a replayed one");
      return { requestId, event: "reliable:message:received" };
    });
  }

  async #popup({ name, profile }: Person): Promise<void> {
    await this.#step("popup", name, name, async () => {
      const popup = await profile.openPopup();
      await popup.getByTestId("welcome").waitFor();
      await screenshots(popup, DEMO_SCREENSHOTS, "popup-welcome");
      await popup.getByTestId("welcome-skip").click();
      await popup.locator(`[data-testid="channel-row"][data-channel-id$="${ROOM}"]`).waitFor();
      await screenshots(popup, DEMO_SCREENSHOTS, "popup");
      await popup.close();
      return { requestId: null, event: "status" };
    });
  }

  /** A message that no store keeps, sent by the page's own call: the site offers no button for it. */
  async #ephemeral(from: Person, to: Person): Promise<void> {
    const text = "(The kettle whistles.)";
    const message = encodeChatMessage({ id: crypto.randomUUID(), name: from.name, text, at: Date.now() });
    await this.#step("ephemeral message", from.name, to.name, async () => {
      const requestId = await from.chat.page.evaluate(
        async ([channelId, bytes]) =>
          (await window.reliableChannel?.send(channelId, Uint8Array.from(bytes), { ephemeral: true })) ?? null,
        [`open:${ROOM}`, [...message]] as const,
      );
      await to.chat.received(text);
      return { requestId, event: "reliable:message:received" };
    });
  }

  /** A room with a key: who has another one sees nothing, and whoever is given it does. */
  async #encryptedRoom(alice: Person, bob: Person): Promise<void> {
    const key = await this.#step("encrypted room: a new key", alice.name, alice.name, async () => {
      await this.#enterEncrypted(alice, "Pantry key");
      return { requestId: null, event: "connect" };
    }).then(() => this.#exportedKey(alice, "Pantry key"));
    await this.#step("encrypted room: another key", bob.name, bob.name, async () => {
      await this.#enterEncrypted(bob, "Not the pantry key");
      return { requestId: null, event: "connect" };
    });
    await this.#wrongKey(alice, bob);
    await this.#step("the right key", alice.name, bob.name, async () => {
      await using popup = await Popup.open(bob.profile);
      await popup.changeToKey(SECRET_ROOM, key, "Pantry key");
      return { requestId: null, event: "status" };
    });
    await this.#say("encrypted text", alice, bob, "Now you can read this.");
    await this.#say("encrypted text", bob, alice, "And write, too.");
    await this.#file(alice, bob);
    await this.#step("key change", alice.name, bob.name, async () => {
      await using hers = await Popup.open(alice.profile);
      const next = await hers.changeToNewKey(SECRET_ROOM, "Next pantry key");
      await using his = await Popup.open(bob.profile);
      await his.changeToKey(SECRET_ROOM, next, "Next pantry key");
      return { requestId: null, event: "status" };
    });
    await this.#say("text with the next key", alice, bob, "A new lock for the pantry.");
    await screenshots(bob.chat.page, DEMO_SCREENSHOTS, "site-encrypted");
  }

  async #enterEncrypted(person: Person, keyName: string): Promise<void> {
    const { profile, name } = person;
    person.chat = await DemoPage.open(profile, this.#stack.demo.url, name, SECRET_ROOM, "key");
    await person.chat.pressConnect();
    await allowWithNewKey(profile, keyName);
    await person.chat.inRoom();
  }

  async #exportedKey({ profile }: Person, name: string): Promise<string> {
    await using popup = await Popup.open(profile);
    await popup.openKey(name);
    return await popup.exportKey("hex");
  }

  async #wrongKey(from: Person, to: Person): Promise<void> {
    const text = "You cannot read this.";
    await this.#step("wrong key: nothing is shown", from.name, to.name, async () => {
      const requestId = await from.chat.send(text);
      const counted = async (): Promise<boolean> => {
        const { details } = await to.profile.snapshot();
        return details.some(({ channel, undecryptable }) => channel.channelId === SECRET_ROOM && undecryptable > 0);
      };
      while (!(await counted())) await to.chat.page.waitForTimeout(200);
      if ((await to.chat.texts()).includes(text)) throw new Error("It is shown although the key is another one");
      return { requestId, event: "status" };
    });
  }

  async #file(from: Person, to: Person): Promise<void> {
    const name = "pantry.bin";
    await this.#step(`file of ${FILE_BYTES} bytes`, from.name, to.name, async () => {
      const file = { name, mimeType: "application/octet-stream", buffer: randomBytes(FILE_BYTES) };
      await from.chat.page.getByTestId("file-picker").setInputFiles(file);
      const saved = await to.chat.savedFile(name);
      if (!saved.equals(file.buffer)) throw new Error("Saved are other bytes than those that were sent");
      return { requestId: await from.chat.fileDelivered(name), event: "reliable:message:delivered" };
    });
  }
}

/** Two windows side by side; resolves when both are closed. */
async function show(stack: Stack): Promise<void> {
  const closed = NAMES.map(async (name, index) => {
    const profile = await stack.profile({
      headless: false,
      args: [`--window-position=${index * 740},40`, "--window-size=720,820"],
    });
    await DemoPage.open(profile, stack.demo.url, name, ROOM);
    await new Promise<void>((resolve) => profile.context.once("close", () => resolve()));
  });
  say(`The demo is at ${stack.demo.url}, the network at ${stack.network.multiaddrs.join(" and ")}`);
  say("Press Connect in both windows and allow the site. Ctrl-C ends everything.");
  await Promise.all(closed);
}

async function converse(stack: Stack): Promise<void> {
  const conversation = new Conversation(stack);
  const timedOut = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    timedOut.reject(new Error(`Timed out after ${CONVERSATION_MS / 1000} s, at: ${conversation.current}`));
  }, CONVERSATION_MS);
  try {
    await Promise.race([conversation.play(), timedOut.promise]);
  } catch (error) {
    throw new Error(`The conversation stopped at: ${conversation.current}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

const stack = await Stack.start();
/** A signal ends the browsers, and with them their temporary profiles. */
const ended = Promise.race((["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => once(process, signal))).then(
  () => {
    process.exitCode = 130;
  },
);
try {
  await Promise.race([process.argv.includes("--headless") ? converse(stack) : show(stack), ended]);
} catch (error) {
  say(error instanceof Error ? `${error.stack}\n${error.cause ?? ""}` : String(error));
  process.exitCode = 1;
} finally {
  await stack.close();
}
process.exit();
