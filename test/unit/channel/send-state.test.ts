import { describe, expect, test } from "vitest";
import type { PendingMessagingRequest, RequestRow, SegmentRow } from "../../../src/channel/rows.ts";
import { SendState } from "../../../src/channel/send-state.ts";
import { Journal, Table } from "../../../src/common/table.ts";

function setUp() {
  const journal = new Journal();
  const tables = {
    requests: new Table<string, RequestRow>("requests", journal, []),
    pending: new Table<number, PendingMessagingRequest>("pending", journal, []),
    segments: new Table<string, SegmentRow>("requestSegments", journal, []),
  };
  const restart = () => new SendState(tables);
  const state = restart();
  const accept = (requestId: string, segments: number, ephemeral = false) =>
    state.accept({
      requestId,
      createdAt: 1,
      bytes: 10,
      ephemeral,
      messageIds: Array.from({ length: segments }, (_, index) => `${requestId}-${index}`),
    });
  return { state, accept, restart, tables };
}

describe("send state machine", () => {
  test("C33 a request of several segments is final only when all of them are, and then once", () => {
    const { state, accept } = setUp();
    const entries = accept("r", 3);
    for (const [index, entry] of entries.entries()) state.onDispatched(entry, `m${index}`);
    expect(state.onMessageSent("m0")).toEqual([]);
    expect(state.onMessageSent("m2")).toEqual([]);
    expect(state.info("r")).toMatchObject({ state: "sending", segments: { total: 3, confirmed: 2 } });
    expect(state.onMessageSent("m1")).toEqual([{ type: "sent", requestId: "r" }]);
    expect(state.onMessageSent("m1")).toEqual([]);
    expect(state.info("r")).toMatchObject({ state: "sent", segments: { total: 3, confirmed: 3, failed: 0 } });
  });

  test("C34 one failed segment makes a send-error, but only after its siblings are final", () => {
    const { state, accept } = setUp();
    const [a = 0, b = 0] = accept("r", 2);
    expect(state.onDispatchFailed(a, { kind: "encryption", error: "encryption failed: no key today" })).toEqual([]);
    state.onDispatched(b, "m1");
    expect(state.onMessageSent("m1")).toEqual([
      {
        type: "send-error",
        requestId: "r",
        kind: "encryption",
        error: "one or more segments failed: encryption failed: no key today",
      },
    ]);
    expect(state.info("r")).toMatchObject({ state: "send-error", segments: { confirmed: 1, failed: 1 } });
  });

  test("completion events move only a matching segment in flight", () => {
    const { state, accept } = setUp();
    const [entry = 0] = accept("r", 1);
    expect(state.onMessageSent("nobody's")).toEqual([]);
    expect(state.onMessageError("nobody's", { kind: "refused", error: "x" })).toEqual([]);
    expect(state.isAwaiting(entry, "r-0")).toBe(true);
    expect(state.isAwaiting(entry, "of another request, which had this key before")).toBe(false);
    state.onDispatched(entry, "m");
    state.onDispatched(entry, "another");
    expect(state.onMessageSent("another")).toEqual([]);
    expect(state.onMessageError("m", { kind: "refused", error: "x" })).toHaveLength(1);
    expect(state.onDispatchFailed(entry, { kind: "internal", error: "late" })).toEqual([]);
  });

  test("a segment that is acknowledged while in flight is confirmed, and delivered never precedes sent", () => {
    const { state, accept } = setUp();
    const [a = 0, b = 0] = accept("r", 2);
    state.onDispatched(a, "m0");
    state.onDispatched(b, "m1");
    expect(state.onAcknowledged("r-0")).toEqual([]);
    expect(state.onAcknowledged("r-1")).toEqual([{ type: "sent", requestId: "r" }]);
    expect(state.onWhole("r")).toEqual([{ type: "delivered", requestId: "r" }]);
    expect(state.onMessageSent("m0")).toEqual([]);
    expect(state.onAcknowledged("r-1")).toEqual([]);
    expect(state.onWhole("r")).toEqual([]);
  });

  test("an acknowledgement that comes before the hand-over was recorded counts once it is sent", () => {
    const { state, accept } = setUp();
    const [entry = 0] = accept("r", 1);
    expect(state.onAcknowledged("r-0")).toEqual([]);
    state.onDispatched(entry, "m");
    expect(state.onMessageSent("m").map(({ type }) => type)).toEqual(["sent", "delivered"]);
  });

  test("a late acknowledgement after delivery-error still delivers, once", () => {
    const { state, accept } = setUp();
    const [entry = 0] = accept("r", 1);
    state.onDispatched(entry, "m");
    state.onMessageSent("m");
    expect(state.onExhausted("r-0")).toMatchObject([{ type: "delivery-error" }]);
    expect(state.onExhausted("r-0")).toEqual([]);
    expect(state.info("r")).toMatchObject({
      state: "delivery-error",
      error: "no other participant acknowledged the message",
      failure: "unacknowledged",
    });
    expect(state.onAcknowledged("r-0")).toEqual([{ type: "delivered", requestId: "r" }]);
    expect(state.info("r")).not.toHaveProperty("error");
    expect(state.info("r")).not.toHaveProperty("failure");
  });

  test("an ephemeral request is sent and never delivered", () => {
    const { state, accept } = setUp();
    const [entry = 0] = accept("r", 1, true);
    state.onDispatched(entry, "m");
    expect(state.onMessageSent("m")).toEqual([{ type: "sent", requestId: "r" }]);
    expect(state.onAcknowledged("r-0")).toEqual([]);
  });

  test("a restart in the middle goes on where it stopped", () => {
    const { state, accept, restart } = setUp();
    const [a = 0] = accept("r", 2);
    state.onDispatched(a, "m0");
    const restarted = restart();
    expect(restarted.pending).toBe(2);
    expect(restarted.openRequests).toEqual({ count: 1, bytes: 10 });
    restarted.onMessageSent("m0");
    const [c] = restarted.accept({ requestId: "s", createdAt: 2, bytes: 1, ephemeral: false, messageIds: ["s-0"] });
    expect(c).toBe(3);
    restarted.onDispatched(2, "m1");
    expect(restarted.onMessageSent("m1")).toEqual([{ type: "sent", requestId: "r" }]);
    expect(restarted.messagingRequestIds("r")).toEqual(["m0", "m1"]);
    expect(restarted.pending).toBe(1);
  });

  test("old final requests are forgotten with everything that refers to them; open ones stay", () => {
    const { state, accept, tables } = setUp();
    const [entry = 0] = accept("r", 1);
    accept("open", 1);
    state.onDispatched(entry, "m");
    state.onMessageSent("m");
    state.forgetBefore(2);
    expect(state.info("r")).toBeUndefined();
    expect(state.info("open")).toBeDefined();
    expect([...tables.segments.keys()]).toEqual(["open-0"]);
  });
});
