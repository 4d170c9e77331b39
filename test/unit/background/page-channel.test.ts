/**
 * Channels whose site encrypts: the whole channel layer over the functions of pages that come, go and fail. These are the
 * counterparts of the encryption scenarios for mode `page` with placement `envelope`.
 */
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { ciphers } from "../../../src/background/ciphers.ts";
import { type Bytes, ownBytes, toHex, utf8 } from "../../../src/common/bytes.ts";
import { keccak256 } from "../../../src/common/keccak.ts";
import { err } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import { type CipherPage, CipherPages } from "../../../src/provider/cipher-pages.ts";
import { perform } from "../../../src/provider/page-encryption.ts";
import { PageFunctions } from "../../../src/provider/page-functions.ts";
import type { Encryption } from "../../../src/provider/provider-api.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { decodeSegment } from "../../../src/segmentation/segment-message.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { passTime } from "../../support/passing-time.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

const KEY = { origin: ORIGIN, channelId: "room" };

let clock: VirtualClock;
let network: FakeNetwork;

beforeEach(() => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
});

/** A site's own scheme: its mark, and every byte changed. */
function scheme(mark = 0x2a): Encryption {
  const change = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0x5a ^ mark);
  return {
    encrypt: (content) => Uint8Array.of(mark, ...change(content)),
    decrypt(payload) {
      if (payload[0] !== mark) throw new Error("this is not ours");
      return change(payload.subarray(1));
    },
  };
}

/** A page that the site has open, with its functions. */
class SitePage implements CipherPage {
  readonly origin = ORIGIN;
  readonly focusedAt = 0;
  readonly functions: PageFunctions;

  constructor(encryption: Encryption) {
    this.functions = new PageFunctions({
      clock,
      newId: () => crypto.randomUUID(),
      push: (body, taken) => {
        if (body.kind !== "cipher") return;
        taken();
        void perform(encryption, { ...body, input: body.input.slice() }).then((frame) =>
          this.functions.answered(frame),
        );
      },
    });
  }

  isAttached(): boolean {
    return true;
  }
}

/** One profile: its channel layer, and the pages that it has open. */
class Member {
  readonly pages: CipherPages;
  readonly peer: Peer;

  private constructor(pages: CipherPages, peer: Peer) {
    this.pages = pages;
    this.peer = peer;
    this.#listen();
  }

  static async start(name: string): Promise<Member> {
    const pages = new CipherPages();
    const none = { current: () => err("no key"), earlier: () => [], unavailable: () => undefined };
    const peer = await Peer.start(name, network, { cipherFor: ciphers({ channelKeys: () => none }, pages) });
    const member = new Member(pages, peer);
    const created = await peer.manager.createReliableChannel({
      ...KEY,
      contentTopic: TOPIC,
      senderId: name,
      encryption: "page",
    });
    expect(created.ok).toBe(true);
    await network.settle();
    return member;
  }

  /** A page of the site is opened. */
  async come(encryption = scheme()): Promise<SitePage> {
    const page = new SitePage(encryption);
    this.pages.offer(page, KEY.channelId);
    await network.settle();
    return page;
  }

  async go(page: SitePage): Promise<void> {
    this.pages.remove(page);
    await network.settle();
  }

  /** The worker dies, and with it what it knew of pages. */
  async restart(): Promise<void> {
    await this.peer.restart();
    this.#listen();
    await network.settle();
  }

  #listen(): void {
    this.pages.listen({
      ready: (key) => this.peer.manager.cipherReady(key),
      away: (key) => this.peer.manager.cipherAway(key),
    });
  }
}

const pass = (ms: number) => passTime(clock, () => network.settle(), ms);

/** Functions whose `encrypt` or `decrypt` waits for the test. */
function gated(operation: "encrypt" | "decrypt") {
  const gates: (() => void)[] = [];
  const real = scheme();
  const encryption: Encryption = {
    ...real,
    [operation]: (input: Bytes) =>
      new Promise((resolve, reject) => {
        gates.push(() => {
          Promise.resolve(input)
            .then((bytes) => real[operation](bytes))
            .then(resolve, reject);
        });
      }),
  };
  return { gates, encryption };
}

/** Stands for bytes that are too many to be shown where they differ. */
function digest(bytes: Uint8Array): string {
  return toHex(keccak256(bytes));
}

/** Nothing of what any test sends may be on the wire as it was. */
function wireIsCiphertext(): void {
  for (const { payload } of network.stored) {
    expect(nimLayout.decode(payload).ok).toBe(false);
    expect(new TextDecoder().decode(payload)).not.toContain("secret");
  }
}

describe("a channel whose site encrypts", () => {
  test("N02 N05 the functions get each SDS message once, the wire shows their output, and the other page reads it", async () => {
    const [alice, bob] = [await Member.start("alice"), await Member.start("bob")];
    const calls: { readonly given: Bytes; readonly made: Bytes }[] = [];
    const own = scheme();
    await alice.come({
      ...own,
      async encrypt(content) {
        const given = content.slice();
        const made = ownBytes(await own.encrypt(content));
        calls.push({ given, made });
        return made;
      },
    });
    await bob.come();
    const id = await alice.peer.send("secret");
    await pass(4_000);
    expect(await bob.peer.received()).toEqual(["secret"]);
    expect(await alice.peer.outcomes(id)).toEqual(["sent", "delivered"]);
    const messages = calls.map(({ given }) => {
      const decoded = nimLayout.decode(given);
      return decoded.ok ? decoded.value : expect.unreachable(decoded.error);
    });
    const contents = messages.filter(({ content }) => content.length > 0);
    expect(contents).toMatchObject([{ channelId: "room", senderId: "alice" }]);
    expect(decodeSegment(contents[0]?.content ?? new Uint8Array())).toMatchObject({
      ok: true,
      value: { index: 0, dataSegmentCount: 1, segmentPayload: utf8("secret") },
    });
    // One call for each message on the wire, which is what it returned.
    expect(alice.peer.messaging.sent.map(({ payload }) => payload)).toEqual(calls.map(({ made }) => made));
    expect(network.stored.length).toBeGreaterThan(0);
    wireIsCiphertext();
  });

  test("N03 the words of an encrypt that fails reach the page in send-error, and nothing reaches the wire", async () => {
    const alice = await Member.start("alice");
    const encrypt = () => {
      throw new Error("no key today");
    };
    await alice.come({ ...scheme(), encrypt });
    const id = await alice.peer.send("secret");
    await network.settle();
    expect(await alice.peer.log()).toMatchObject([
      {
        type: "reliable:message:send-error",
        requestId: id,
        error: expect.stringMatching(/encryption failed: no key today/),
      },
    ]);
    await pass(60_000);
    expect(alice.peer.messaging.sent).toEqual([]);
  });

  test("an encrypt that does not answer within 10 s fails the message likewise", async () => {
    const alice = await Member.start("alice");
    await alice.come({ ...scheme(), encrypt: () => new Promise(() => {}) });
    const id = await alice.peer.send("secret");
    await pass(LIMITS.provider.cipherMs - 250);
    expect(await alice.peer.outcomes(id)).toEqual([]);
    await pass(500);
    expect(await alice.peer.log()).toMatchObject([
      { type: "reliable:message:send-error", error: expect.stringContaining("did not answer within 10 s") },
    ]);
    expect(network.stored).toEqual([]);
  });

  test("a retry after a failure encrypts again", async () => {
    const [alice, bob] = [await Member.start("alice"), await Member.start("bob")];
    const failing = await alice.come({ ...scheme(), encrypt: () => new Uint8Array(0) });
    await bob.come();
    const id = await alice.peer.send("secret");
    await network.settle();
    expect(await alice.peer.outcomes(id)).toEqual(["send-error"]);
    await alice.go(failing);
    expect(await alice.peer.channel().retry(id)).toMatchObject({ ok: true });
    await pass(1_000);
    expect(await bob.peer.received()).toEqual([]);
    await alice.come();
    await pass(1_000);
    expect(await bob.peer.received()).toEqual(["secret"]);
    wireIsCiphertext();
  });

  test("N06 what the page's decrypt refuses is not received, and is counted once", async () => {
    const [alice, mallory] = [await Member.start("alice"), await Member.start("mallory")];
    await alice.come();
    await mallory.come(scheme(0x66));
    await alice.peer.send("secret");
    await network.settle();
    const [message] = network.stored;
    if (message === undefined) throw new Error("nothing was sent");
    expect(mallory.peer.channel().diagnostics().undecryptable).toBe(1);
    for (let i = 0; i < 2; i++) await mallory.peer.messaging.tell({ type: "received", message });
    expect(await mallory.peer.log()).toEqual([]);
    expect(mallory.peer.channel().diagnostics().undecryptable).toBe(1);
  });

  test("a decrypt that makes up bytes delivers nothing, and breaks nothing", async () => {
    const [alice, bob] = [await Member.start("alice"), await Member.start("bob")];
    await alice.come();
    const wrong = await bob.come({ ...scheme(), decrypt: () => Uint8Array.of(1, 2, 3) });
    await alice.peer.send("secret");
    await network.settle();
    expect(await bob.peer.received()).toEqual([]);
    expect(bob.peer.channel().diagnostics().unreadable).toBe(1);
    await bob.go(wrong);
    await bob.come();
    await alice.peer.send("second");
    await pass(40_000);
    // The first one is found again by what the second depends on.
    expect(await bob.peer.received()).toEqual(["secret", "second"]);
  });

  test("N07 of two channels on one topic, only the one that a message is for delivers it, and neither counts it", async () => {
    const [alice, bob] = [await Member.start("alice"), await Member.start("bob")];
    await alice.come();
    await bob.come();
    const other = { ...KEY, channelId: "other" };
    const created = await bob.peer.manager.createReliableChannel({ ...other, contentTopic: TOPIC, encryption: "page" });
    expect(created.ok).toBe(true);
    bob.pages.offer(new SitePage(scheme(0x66)), other.channelId);
    await network.settle();
    await alice.peer.send("for the room");
    await network.settle();
    expect(await bob.peer.received()).toEqual(["for the room"]);
    expect(await bob.peer.log("other")).toEqual([]);
    for (const channelId of ["room", "other"]) {
      expect(bob.peer.channel(channelId).diagnostics()).toMatchObject({ undecryptable: 0, otherChannel: 0 });
    }
  });

  test("N08 a message does not overtake one that is still being decrypted", async () => {
    const [alice, bob] = [await Member.start("alice"), await Member.start("bob")];
    const { gates, encryption } = gated("decrypt");
    await alice.come();
    await bob.come(encryption);
    await alice.peer.send("first");
    await alice.peer.send("second");
    const settled = network.settle();
    await clock.settle();
    expect(gates.length).toBeGreaterThan(0);
    expect(await bob.peer.received()).toEqual([]);
    for (let open = 0; open < gates.length; open++) {
      gates[open]?.();
      await clock.settle();
    }
    await settled;
    expect(await bob.peer.received()).toEqual(["first", "second"]);
  });

  test.each([1, 2, 3])(
    "N09 where encrypt fails at segment %i of three, there is one send-error, and on the wire are the other two, encrypted",
    async (failing) => {
      const [alice, bob] = [await Member.start("alice"), await Member.start("bob")];
      const given: Bytes[] = [];
      const own = scheme();
      await alice.come({
        ...own,
        encrypt(content) {
          if (given.push(content.slice()) === failing) throw new Error("no key today");
          return own.encrypt(content);
        },
      });
      await bob.come();
      const id = await alice.peer.send(new Uint8Array(300_000).fill(0x61));
      // Before anybody asks for a repair, which would bring the rest.
      await pass(LIMITS.sds.repairMinMs - 1_000);
      expect(await alice.peer.outcomes(id)).toEqual(["send-error"]);
      expect(await bob.peer.log()).toEqual([]);
      // Of an envelope there is one call for each message that leaves, so the others went out before or after it.
      const indices = given.map((content) => {
        const decoded = nimLayout.decode(content);
        const segment = decoded.ok ? decodeSegment(decoded.value.content) : decoded;
        return segment.ok ? segment.value.index : undefined;
      });
      expect(indices.filter((index) => index !== undefined)).toEqual([0, 1, 2]);
      const { sent } = alice.peer.messaging;
      const made = await Promise.all(given.map(async (content) => digest(await own.encrypt(content))));
      expect(sent.map(({ payload }) => digest(payload))).toEqual(made.toSpliced(failing - 1, 1));
      expect(sent.filter(({ payload }) => payload.length > 90_000)).toHaveLength(2);
      const plain = Buffer.alloc(100, 0x61);
      for (const { payload } of sent) expect(Buffer.from(payload).includes(plain)).toBe(false);
      wireIsCiphertext();
    },
  );
});

describe("while no page of the site is open", () => {
  test("what is sent waits, over a restart too, and goes when a page comes", async () => {
    const [alice, bob] = [await Member.start("alice"), await Member.start("bob")];
    await bob.come();
    const ids = [await alice.peer.send("first secret"), await alice.peer.send("second secret")];
    await pass(60_000);
    expect(network.stored).toEqual([]);
    await alice.restart();
    await pass(1_000);
    expect(network.stored).toEqual([]);
    for (const id of ids) expect(await alice.peer.outcomes(id)).toEqual([]);
    await alice.come();
    await pass(5_000);
    expect(await bob.peer.received()).toEqual(["first secret", "second secret"]);
    for (const id of ids) expect(await alice.peer.outcomes(id)).toEqual(["sent", "delivered"]);
    wireIsCiphertext();
  });

  test("what arrives is kept, over a restart too, and is delivered once and in order when a page comes", async () => {
    const [alice, bob] = [await Member.start("alice"), await Member.start("bob")];
    await alice.come();
    const texts = ["one", "two", "three", "four"];
    for (const text of texts.slice(0, 2)) await alice.peer.send(text);
    await network.settle();
    await bob.restart();
    for (const text of texts.slice(2)) await alice.peer.send(text);
    await pass(2_000);
    expect(await bob.peer.log()).toEqual([]);
    expect(bob.peer.channel().diagnostics().undecryptable).toBe(0);
    await bob.come();
    await pass(2_000);
    expect(await bob.peer.received()).toEqual(texts);
    await bob.restart();
    await bob.come();
    await pass(2_000);
    expect(await bob.peer.received()).toEqual(texts);
  });
});

describe("a page that goes in the middle", () => {
  test("of encrypt: the next page encrypts the message, which arrives once", async () => {
    const [alice, bob] = [await Member.start("alice"), await Member.start("bob")];
    const { gates, encryption } = gated("encrypt");
    await bob.come();
    await alice.come();
    const newest = await alice.come(encryption);
    const id = await alice.peer.send("secret");
    await clock.settle();
    expect(gates).toHaveLength(1);
    await alice.go(newest);
    gates[0]?.();
    await pass(4_000);
    expect(await alice.peer.outcomes(id)).toEqual(["sent", "delivered"]);
    expect(await bob.peer.received()).toEqual(["secret"]);
  });

  test("of encrypt, the last one: the message waits and has not failed", async () => {
    const [alice, bob] = [await Member.start("alice"), await Member.start("bob")];
    const { gates, encryption } = gated("encrypt");
    await bob.come();
    const only = await alice.come(encryption);
    const id = await alice.peer.send("secret");
    await clock.settle();
    expect(gates).toHaveLength(1);
    await alice.go(only);
    await pass(60_000);
    expect(await alice.peer.outcomes(id)).toEqual([]);
    expect(network.stored).toEqual([]);
    await alice.come();
    await pass(4_000);
    expect(await alice.peer.outcomes(id)).toEqual(["sent", "delivered"]);
    expect(await bob.peer.received()).toEqual(["secret"]);
  });

  test("of decrypt, the last one: the message is kept, and the next page reads it, once and before what came later", async () => {
    const [alice, bob] = [await Member.start("alice"), await Member.start("bob")];
    const { gates, encryption } = gated("decrypt");
    await alice.come();
    const only = await bob.come(encryption);
    await alice.peer.send("first");
    const settled = network.settle();
    await clock.settle();
    expect(gates).toHaveLength(1);
    bob.pages.remove(only);
    await settled;
    await alice.peer.send("second");
    await pass(1_000);
    expect(await bob.peer.log()).toEqual([]);
    await bob.come();
    gates[0]?.();
    await pass(1_000);
    expect(await bob.peer.received()).toEqual(["first", "second"]);
    expect(bob.peer.channel().diagnostics().undecryptable).toBe(0);
  });

  test("whenever pages come and go, everything arrives once and in order, and never in plain text", async () => {
    const step = fc.constantFrom("send", "alice comes", "alice goes", "bob comes", "bob goes", "bob restarts", "wait");
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        clock = new VirtualClock();
        network = new FakeNetwork(clock);
        const members = { alice: await Member.start("alice"), bob: await Member.start("bob") };
        const open = { alice: [] as SitePage[], bob: [] as SitePage[] };
        const sent: string[] = [];
        for (const what of steps) {
          const [who, does] = what.split(" ");
          const name = who === "bob" ? "bob" : "alice";
          if (what === "send") {
            sent.push(`secret ${sent.length}`);
            await members.alice.peer.send(sent.at(-1) ?? "");
          } else if (does === "comes") open[name].push(await members[name].come());
          else if (does === "goes") {
            const page = open[name].shift();
            if (page) members[name].pages.remove(page);
          } else if (does === "restarts") {
            for (const page of open.bob.splice(0)) members.bob.pages.remove(page);
            await members.bob.restart();
          } else await pass(500);
        }
        await members.alice.come();
        await members.bob.come();
        await pass(3_000);
        expect(await members.bob.peer.received()).toEqual(sent);
        wireIsCiphertext();
      }),
      { numRuns: 40 },
    );
  });
});
