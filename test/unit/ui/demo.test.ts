import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeChatMessage, encodeChatMessage } from "../../../dev/demo/chat-message.ts";
import { advance, type Delivery, failed } from "../../../dev/demo/delivery.ts";
import { errorWords } from "../../../dev/demo/error-words.ts";
import { type OwnMessage, OwnMessages } from "../../../dev/demo/own-messages.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";

const MESSAGE = { id: "m1", name: "Ada", text: "Grüße, 你好 👋", at: 1_800_000_000_000 };
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

describe("the demo's chat message", () => {
  it("comes out as it went in", () => {
    const message = fc.record({
      id: fc.string({ minLength: 1, maxLength: 64 }),
      name: fc.string({ maxLength: 40 }),
      text: fc.string(),
      at: fc.integer(),
    });
    fc.assert(
      fc.property(message, (sent) => {
        expect(decodeChatMessage(encodeChatMessage(sent))).toEqual(sent);
      }),
    );
    expect(decodeChatMessage(encodeChatMessage(MESSAGE))).toEqual(MESSAGE);
  });

  it("carries 300 KiB of text", () => {
    const text = "x".repeat(300 * 1024);
    expect(decodeChatMessage(encodeChatMessage({ ...MESSAGE, text }))?.text).toBe(text);
  });

  it("is nothing where the bytes are somebody else's", () => {
    const wrong = [
      { ...MESSAGE },
      { ...MESSAGE, v: 2 },
      { ...MESSAGE, v: 1, id: "" },
      { ...MESSAGE, v: 1, id: "x".repeat(65) },
      { ...MESSAGE, v: 1, name: "x".repeat(41) },
      { ...MESSAGE, v: 1, text: 7 },
      { ...MESSAGE, v: 1, at: "now" },
      [],
      null,
      "text",
    ];
    for (const value of wrong) expect(decodeChatMessage(bytes(value)), JSON.stringify(value)).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array(), (noise) => {
        expect(decodeChatMessage(noise)).toBeUndefined();
      }),
    );
  });

  it("leaves fields behind that it does not know", () => {
    expect(decodeChatMessage(bytes({ ...MESSAGE, v: 1, extra: true }))).toEqual(MESSAGE);
  });
});

describe("the demo's delivery state", () => {
  const deliveries: Delivery[] = ["new", "queued", "sent", "delivered", "send-error", "delivery-error"];

  it("ends the same whatever the order in which events are read", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(deliveries), (events) => {
        expect(events.reduce(advance, "new")).toBe(events.toSorted().reduce(advance, "new"));
      }),
    );
  });

  it("shows a delivery that is confirmed after a delivery error, and keeps it", () => {
    expect(advance("delivery-error", "delivered")).toBe("delivered");
    expect(advance("delivered", "delivery-error")).toBe("delivered");
    expect(advance("delivered", "sent")).toBe("delivered");
  });

  it("counts both errors as failures", () => {
    expect(deliveries.filter(failed)).toEqual(["send-error", "delivery-error"]);
  });
});

describe("the demo's error words", () => {
  it("go by the code, and fall back to the error's own words", () => {
    const error = (code: number): Error =>
      Object.assign(new Error("own words"), { name: "ReliableChannelError", code, retryable: false });
    expect(errorWords(error(ErrorCode.UserRejected))).toContain("did not allow");
    expect(errorWords(error(ErrorCode.ContextInvalidated))).toContain("reload this page");
    expect(errorWords(error(ErrorCode.Internal))).toBe("own words");
    expect(errorWords(new Error("plain"))).toBe("plain");
    expect(errorWords("thrown")).toBe("thrown");
  });
});

class FakeStorage implements Storage {
  readonly #items = new Map<string, string>();
  readonly #capacity: number;

  constructor(capacity = Number.POSITIVE_INFINITY) {
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#items.size;
  }

  clear(): void {
    this.#items.clear();
  }

  key(index: number): string | null {
    return [...this.#items.keys()][index] ?? null;
  }

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    if (value.length > this.#capacity) throw new DOMException("full", "QuotaExceededError");
    this.#items.set(key, value);
  }

  removeItem(key: string): void {
    this.#items.delete(key);
  }
}

describe("the demo's own messages", () => {
  const own = (id: string): OwnMessage => ({ ...MESSAGE, id, attempt: 1 });

  it("are there after a reload, each room its own, the last version of each", () => {
    const storage = new FakeStorage();
    const before = new OwnMessages("lobby", storage);
    before.put(own("a"));
    before.put(own("b"));
    before.put({ ...own("a"), attempt: 2 });
    expect(new OwnMessages("lobby", storage).all()).toEqual([{ ...own("a"), attempt: 2 }, own("b")]);
    expect(new OwnMessages("garden", storage).all()).toEqual([]);
  });

  it("lose the oldest words where the browser's storage is full", () => {
    const storage = new FakeStorage(250);
    const messages = new OwnMessages("lobby", storage);
    for (const id of ["a", "b", "c", "d"]) messages.put(own(id));
    expect(messages.all()).toHaveLength(4);
    const kept = new OwnMessages("lobby", storage).all();
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.at(-1)).toEqual(own("d"));
    expect(kept).not.toContainEqual(own("a"));
  });

  it("begin anew where the storage holds something else", () => {
    const storage = new FakeStorage();
    storage.setItem("reliable-channel-demo:lobby", "{not json");
    expect(new OwnMessages("lobby", storage).all()).toEqual([]);
    storage.setItem("reliable-channel-demo:lobby", '[{"id":1},null]');
    expect(new OwnMessages("lobby", storage).all()).toEqual([]);
  });
});
