/** Conversations through the whole extension, of pages, backgrounds and networks that come and go as they like. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createMockNetwork,
  type MockNetwork,
  type MockProvider,
} from "../../../packages/reliable-channel/mock/index.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import type { ReliableChannel, RequestId } from "../../../src/provider/provider-api.ts";

const SECOND = 1000;
/** Milliseconds after which everything has to be well: past every deadline of SDS. */
const HEALED_MS = 30 * 60 * SECOND;
const TEA = { channelId: "tea", contentTopic: "/tea/1/chat/proto" } as const;
const OUTCOMES = ["sent", "delivered", "send-error", "delivery-error"] as const;

/** One person, over all loads of their page. */
class Person {
  readonly browser: MockProvider;
  /** What was said, and the request that it became. */
  readonly said = new Map<string, RequestId>();
  /** What was told of each request, by its cursor. */
  readonly outcomes = new Map<string, string>();
  /** What must not happen. */
  readonly trouble: string[] = [];
  /** Texts received, by their cursor. */
  readonly #received = new Map<string, string>();
  readonly #name: string;
  readonly #network: MockNetwork;
  #channel: ReliableChannel | undefined;

  constructor(network: MockNetwork, name: string) {
    this.#network = network;
    this.#name = name;
    this.browser = network.createProvider();
  }

  async open(): Promise<void> {
    const channel = await this.#meanwhile(this.browser.provider.createReliableChannel(TEA));
    this.#channel = channel;
    const seen = new Set<string>();
    channel.on("reliable:message:received", ({ cursor, message }) => {
      const [text = ""] = new TextDecoder().decode(message).split(".");
      const before = this.#received.get(cursor) ?? text;
      if (seen.has(cursor) || before !== text) this.trouble.push(`${text} again, in the place of ${before}`);
      seen.add(cursor);
      this.#received.set(cursor, text);
    });
    for (const outcome of OUTCOMES) {
      channel.on(`reliable:message:${outcome}`, ({ cursor, requestId }) => {
        this.outcomes.set(cursor, `${outcome} ${requestId}`);
      });
    }
    channel.on("reliable:message:lost", ({ reason }) => this.trouble.push(`lost: ${reason}`));
    channel.on("close", ({ reason }) => this.trouble.push(`closed: ${reason}`));
    await this.#network.advance(1);
  }

  reload(): Promise<void> {
    this.browser.reload();
    return this.open();
  }

  async say(bytes: number): Promise<void> {
    const text = `${this.#name}${this.said.size}`;
    const message = utf8(text.padEnd(bytes, "."));
    if (!this.#channel) throw new Error("nobody speaks before the channel is open");
    this.said.set(text, await this.#meanwhile(this.#channel.send(message, { idempotencyKey: text })));
  }

  /** Locks, and comes back after a while. */
  async rest(): Promise<void> {
    await this.browser.lock();
    await this.#network.advance(90 * SECOND);
    await this.browser.unlock();
    await this.#network.advance(SECOND);
  }

  /** What was received, in the order of the log. */
  heard(): readonly string[] {
    return [...this.#received].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
  }

  /** Lets time pass while something is under way that may need it. */
  async #meanwhile<T>(work: Promise<T>): Promise<T> {
    const [done] = await Promise.all([work, this.#network.advance(SECOND)]);
    return done;
  }
}

interface World {
  readonly network: MockNetwork;
  readonly people: readonly [Person, Person];
}

/** Something that happens, and its name in a report. */
class Happening {
  readonly #words: string;
  readonly happen: (world: World) => unknown;

  constructor(words: string, happen: (world: World) => unknown) {
    this.#words = words;
    this.happen = happen;
  }

  toString(): string {
    return this.#words;
  }
}

/** What somebody does. */
function somebody(words: string, act: (person: Person) => unknown): fc.Arbitrary<Happening> {
  return fc
    .constantFrom(0, 1)
    .map((index) => new Happening(`${index} ${words}`, ({ people }) => act(index === 0 ? people[0] : people[1])));
}

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 5, arbitrary: somebody("says something", (person) => person.say(0)) },
  { weight: 1, arbitrary: somebody("says something long", (person) => person.say(250_000)) },
  { weight: 2, arbitrary: somebody("loses the background", ({ browser }) => browser.restart()) },
  { weight: 2, arbitrary: somebody("loads the page anew", (person) => person.reload()) },
  { weight: 1, arbitrary: somebody("locks for a while", (person) => person.rest()) },
  { weight: 1, arbitrary: somebody("goes offline", ({ browser }) => browser.offline()) },
  { weight: 2, arbitrary: somebody("is online", ({ browser }) => browser.online()) },
  {
    weight: 3,
    arbitrary: fc
      .integer({ min: 1, max: 90 })
      .map((seconds) => new Happening(`${seconds} s pass`, ({ network }) => network.advance(seconds * SECOND))),
  },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 1, max: 4 })
      .map((count) => new Happening(`${count} get lost`, ({ network }) => network.lose(count))),
  },
);

test("everything arrives once, in the order in which it was said, and everybody hears what became of it", {
  timeout: 120_000,
}, async () => {
  const property = fc.asyncProperty(fc.array(happening, { minLength: 5, maxLength: 25 }), async (happenings) => {
    await using network = createMockNetwork({ speed: 0 });
    const people = [new Person(network, "A"), new Person(network, "B")] as const;
    for (const person of people) await person.open();
    for (const { happen } of happenings) await happen({ people, network });

    network.lose(0);
    for (const { browser } of people) browser.online();
    await network.advance(HEALED_MS);
    const [a, b] = people;
    for (const [person, other] of [
      [a, b],
      [b, a],
    ] as const) {
      expect(person.heard()).toEqual([...other.said.keys()]);
      expect(person.trouble).toEqual([]);
      const told = [...person.outcomes.values()];
      expect(new Set(told).size).toBe(told.length);
      // What the network did not confirm in time has failed for good, even if it arrives later after all.
      for (const requestId of person.said.values()) {
        const outcomes = told.filter((outcome) => outcome.endsWith(requestId));
        expect(outcomes.some((outcome) => /^(delivered|send-error) /.test(outcome))).toBe(true);
      }
    }
  });
  await fc.assert(property, { numRuns: 20 });
});
