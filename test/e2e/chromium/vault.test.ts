/** The vault as people meet it: a password, the lock, the time after which it locks, and what lies on the disk. */
import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { ChannelPage, type EncryptedChannelParams } from "../../support/channel-page.ts";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { allowWithKey, Popup } from "../../support/popup.ts";
import { screenshots, TEST_SCREENSHOTS } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

const RECEIVED = "reliable:message:received";
const ATTACHED = { ok: true, value: null };
const SAFE: EncryptedChannelParams = { channelId: "safe", contentTopic: "/test/1/vault/proto" };
const PASSWORD = "correct horse 7 battery";
/** Milliseconds for the shortest auto-lock, a minute, and the step in which the extension looks at the clock. */
const AUTO_LOCK_MS = 100_000;

/** The forms in which a secret could lie in a file. */
function formsOf(secret: Buffer): readonly Buffer[] {
  const texts = [
    secret.toString("hex"),
    secret.toString("hex").toUpperCase(),
    // What stands before and after it decides over the first and the last characters of Base64.
    ...[0, 1, 2].map((offset) => {
      const shifted = Buffer.concat([Buffer.alloc(offset), secret])
        .toString("base64")
        .replaceAll("=", "");
      return shifted.slice(offset === 0 ? 0 : offset + 1, -2);
    }),
  ];
  const encodings = texts.flatMap((text) => {
    const url = text.replaceAll("+", "-").replaceAll("/", "_");
    return [text, url];
  });
  const wide = [secret.toString("utf8"), secret.toString("latin1"), ...encodings].map((text) =>
    Buffer.from(text, "utf16le"),
  );
  return [secret, ...encodings.map((text) => Buffer.from(text)), ...wide];
}

/** Which of the secrets the files below `directory` hold, in any form: names, in the order of the alphabet. */
async function scan(directory: string, secrets: Readonly<Record<string, Buffer>>): Promise<readonly string[]> {
  const found = new Set<string>();
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((each) => each.isFile())) {
    const content = await readFile(join(entry.parentPath, entry.name));
    for (const [name, secret] of Object.entries(secrets)) {
      if (formsOf(secret).some((form) => content.includes(form))) found.add(name);
    }
  }
  return [...found].toSorted();
}

/** A text without repetitions: databases compress, and what is repeated would not be found as a whole. */
const randomText = (): string => randomBytes(24).toString("base64url");

describe("the vault", () => {
  const key = randomBytes(32);
  const keyText = key.toString("hex");
  const question = randomText();
  const answer = randomText();
  /** Sent to alice while she is locked, for good. */
  const parked = randomText();
  let stack: Stack;
  let server: PageServer;
  let aliceProfile: ChromiumProfile;
  let bobProfile: ChromiumProfile;
  let alice: ChannelPage;
  let bob: ChannelPage;

  beforeAll(async () => {
    [server, stack] = await Promise.all([
      startPageServer({ "/": { html: "<!doctype html><title>A site</title>" } }),
      Stack.start(),
    ]);
    [aliceProfile, bobProfile] = await Promise.all([stack.profile(), stack.profile()]);
    for (const [profile, password] of [
      [aliceProfile, PASSWORD],
      [bobProfile, null],
    ] as const) {
      const popup = await Popup.open(profile);
      await popup.welcome(password);
      await popup.close();
    }
    alice = await attach(aliceProfile, "alice");
    bob = await attach(bobProfile, "bob");
  });

  afterAll(async () => {
    await stack?.close();
    await server?.close();
  });

  async function attach(profile: ChromiumProfile, senderId: string): Promise<ChannelPage> {
    const page = new ChannelPage(await profile.open(server.origin), { ...SAFE, senderId });
    const attached = page.attach();
    await allowWithKey(profile, keyText, "Safe key");
    expect(await attached).toEqual(ATTACHED);
    return page;
  }

  async function take(from: ChannelPage, text: string, ephemeral = false): Promise<string> {
    const sent = await from.send(text, { ephemeral });
    if (!sent.ok) throw new Error(`${sent.code} ${sent.message}`);
    return sent.value;
  }

  async function deliver(from: ChannelPage, to: ChannelPage, text: string): Promise<void> {
    const requestId = await take(from, text);
    await to.waitFor(RECEIVED, { text });
    await from.waitFor("reliable:message:delivered", { requestId });
  }

  test("locked from the popup: the page is told so, and a wrong password says that it is wrong", async () => {
    await deliver(alice, bob, question);
    await deliver(bob, alice, answer);

    const popup = await Popup.open(aliceProfile);
    await popup.tab("keys");
    await popup.page.getByTestId("protect").click();
    await screenshots(popup.page, TEST_SCREENSHOTS, "popup-protect");
    await popup.tab("channels");
    await popup.lock();
    expect(await popup.page.getByTestId("popup").getAttribute("data-vault")).toBe("locked");
    await popup.page.getByTestId("lock-view").waitFor();
    expect(await popup.page.getByTestId("channel-row").count()).toBe(0);
    expect(await alice.send("The red one")).toMatchObject({
      ok: false,
      name: "ReliableChannelError",
      code: ErrorCode.Locked,
    });

    await popup.tryToUnlock("correct horse 8 battery");
    const problem = popup.page.getByTestId("unlock-password-error");
    await problem.waitFor();
    expect(await problem.textContent()).toMatch(/password/i);
    await screenshots(popup.page, TEST_SCREENSHOTS, "popup-locked");
    expect(await popup.page.getByTestId("popup").getAttribute("data-vault")).toBe("locked");
    await popup.close();
  });

  test("unlocked: the page goes on, and what was sent in the meantime arrives, also what no store keeps", async () => {
    await alice.hearsWhileLocked();
    const requestId = await take(bob, "The red one or the blue one?");
    const ephemeralId = await take(bob, "Somebody is typing", true);
    for (const id of [requestId, ephemeralId]) await bob.waitFor("reliable:message:sent", { requestId: id });
    expect(await alice.seen(RECEIVED)).toHaveLength(1);

    const popup = await Popup.open(aliceProfile);
    expect(await popup.page.getByTestId("network-status").textContent()).toContain("Locked");
    await popup.unlock(PASSWORD);
    await popup.close();
    await alice.waitFor(RECEIVED, { text: "The red one or the blue one?" });
    await alice.waitFor(RECEIVED, { text: "Somebody is typing" });
    await bob.waitFor("reliable:message:delivered", { requestId });
    await deliver(alice, bob, "The blue one");
  });

  test("still unlocked after the worker was killed, and locked when its time is up", async () => {
    const popup = await Popup.open(aliceProfile);
    await popup.tab("keys");
    await popup.page.getByTestId("protect").click();
    await popup.page.getByTestId("auto-lock").selectOption("1");
    await popup.close();
    const locked = alice.page.evaluate(
      (limit) =>
        new Promise<void>((resolve, reject) => {
          setTimeout(() => reject(new Error("It did not lock")), limit);
          window.reliableChannel?.on("status", (status) => {
            if (status.locked) resolve();
          });
        }),
      AUTO_LOCK_MS,
    );
    await aliceProfile.killWorker();
    await deliver(alice, bob, "Nobody asked me for the password");
    await locked;
    expect(await alice.send("Hello?")).toMatchObject({ ok: false, code: ErrorCode.Locked });
    // What lies on the disk from now on was never opened.
    await alice.hearsWhileLocked();
    const requestId = await take(bob, parked);
    await bob.waitFor("reliable:message:sent", { requestId });
  });

  test("a closed profile holds no key, no password and no message in any form, and the same look finds what is not sealed", async () => {
    const secrets = {
      key,
      password: Buffer.from(PASSWORD),
      question: Buffer.from(question),
      answer: Buffer.from(answer),
      parked: Buffer.from(parked),
    };
    expect(await aliceProfile.atRest((directory) => scan(directory, secrets))).toEqual([]);

    // The control: the other end of the same conversation, without a password, where a page keeps secrets of its own.
    const canaries = { raw: randomBytes(32), hex: randomBytes(32), base64: randomBytes(32), utf16: randomBytes(32) };
    await bob.page.evaluate(
      async ({ raw, hex, base64, utf16 }) => {
        localStorage.setItem("hex", hex);
        localStorage.setItem("base64", base64);
        // Chromium keeps text with such a letter in UTF-16.
        localStorage.setItem("utf16", `${utf16}\u{1F511}`);
        const request = indexedDB.open("canaries", 1);
        await new Promise((resolve, reject) => {
          request.onupgradeneeded = () => request.result.createObjectStore("raw").put(new Uint8Array(raw), 0);
          request.onsuccess = resolve;
          request.onerror = reject;
        });
      },
      {
        raw: [...canaries.raw],
        hex: canaries.hex.toString("hex"),
        base64: canaries.base64.toString("base64"),
        utf16: canaries.utf16.toString("hex"),
      },
    );
    const found = await bobProfile.atRest((directory) => scan(directory, { ...secrets, ...canaries }));
    expect(found).toEqual(["answer", "base64", "hex", "parked", "question", "raw", "utf16"]);
  });
});
