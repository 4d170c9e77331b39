import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import type { UiRequest } from "../../../src/ui/background-api.ts";
import { parseChannelForm, parseSite } from "../../../src/ui/channel-form.ts";
import { createFormats } from "../../../src/ui/formats.ts";
import { autoLockChoices, passwordProblem } from "../../../src/ui/password-form.ts";
import {
  canRetry,
  countStates,
  failureWords,
  hasFailed,
  partsDone,
  percent,
  requestWords,
  requestWordsIn,
} from "../../../src/ui/requests.ts";

describe("the site of a channel", () => {
  it.each([
    ["https://chat.example", "https://chat.example"],
    [" https://chat.example/room?x=1#y ", "https://chat.example"],
    ["chat.example", "https://chat.example"],
    ["https://CHAT.example:8443", "https://chat.example:8443"],
    ["http://localhost:5173", "http://localhost:5173"],
    ["http://127.0.0.1:80/", "http://127.0.0.1"],
  ])("%s is %s", (typed, origin) => {
    expect(parseSite(typed)).toBe(origin);
  });

  it.each([
    "",
    "  ",
    "http://chat.example",
    "ftp://chat.example",
    "javascript:alert(1)",
    "a b.example",
    "https://u@a.example",
  ])("%j is none", (typed) => {
    expect(parseSite(typed)).toBeUndefined();
  });

  it("is always an origin, whatever is typed", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl()), (typed) => {
        const origin = parseSite(typed);
        if (origin !== undefined) expect(new URL(origin).origin).toBe(origin);
      }),
    );
  });
});

describe("the form of a channel", () => {
  it("gives the channel, without space around what was typed", () => {
    const form = { site: "chat.example", channelId: " garden ", contentTopic: " /chat/1/garden/proto" };
    expect(parseChannelForm(form)).toEqual({
      ok: true,
      value: { origin: "https://chat.example", channelId: "garden", contentTopic: "/chat/1/garden/proto" },
    });
  });

  it("says of every field what is wrong with it", () => {
    expect(parseChannelForm({ site: "", channelId: "", contentTopic: "garden" })).toEqual({
      ok: false,
      error: { site: "errorSite", channelId: "errorChannelId", contentTopic: "errorTopic" },
    });
  });
});

describe("a new password", () => {
  const { passwordMinChars, passwordMaxChars } = LIMITS.keys;

  it("has its length in characters, and is typed twice alike", () => {
    const short = "🌱".repeat(passwordMinChars - 1);
    expect(passwordProblem(short, short)).toEqual({ key: "passwordTooShort", count: passwordMinChars });
    const long = "x".repeat(passwordMaxChars + 1);
    expect(passwordProblem(long, long)).toEqual({ key: "passwordTooLong", count: passwordMaxChars });
    expect(passwordProblem("long enough", "long enougH")).toEqual({ key: "passwordsDiffer" });
    expect(passwordProblem("long enough", "long enough")).toBeUndefined();
  });
});

describe("the choice of auto-lock", () => {
  it("holds what is set, in order, with the end of the browser last", () => {
    expect(autoLockChoices(60)).toEqual([1, 5, 15, 60, 240, 1_440, null]);
    expect(autoLockChoices(null)).toEqual([1, 5, 15, 60, 240, 1_440, null]);
    expect(autoLockChoices(30)).toEqual([1, 5, 15, 30, 60, 240, 1_440, null]);
  });

  it("offers only what the vault takes", () => {
    for (const minutes of autoLockChoices(null)) {
      if (minutes === null) continue;
      expect(minutes * 60_000).toBeGreaterThanOrEqual(LIMITS.keys.autoLockMinMs);
      expect(minutes * 60_000).toBeLessThanOrEqual(LIMITS.keys.autoLockMaxMs);
    }
  });
});

function request(state: UiRequest["state"], segments: Partial<UiRequest["segments"]> = {}): UiRequest {
  return {
    channel: { origin: "https://a.example", channelId: "c" },
    requestId: "r",
    state,
    bytes: 1,
    segments: { total: 4, confirmed: 0, failed: 0, acknowledged: 0, ...segments },
    createdAt: 0,
  };
}

describe("a request", () => {
  it("has words of its own for every state, and a failure for both errors", () => {
    const states = ["queued", "sending", "sent", "delivered", "send-error", "delivery-error"] as const;
    expect(new Set(states.map((state) => requestWords(state).label)).size).toBe(states.length);
    expect(states.filter(hasFailed)).toEqual(["send-error", "delivery-error"]);
  });

  it("wait for the next epoch where they have not begun to leave and the budget is used up", () => {
    const used = { limit: 5, remaining: 0, resetsAt: 0 };
    expect(requestWordsIn(used, request("queued")).label).toBe("requestWaits");
    expect(requestWordsIn({ ...used, remaining: 1 }, request("queued")).label).toBe("requestQueued");
    expect(requestWordsIn(null, request("queued")).label).toBe("requestQueued");
    expect(requestWordsIn(used, request("sending")).label).toBe("requestSending");
  });

  it("can be sent again where the network did not take them and they are kept", () => {
    expect(canRetry({ state: "send-error" })).toBe(true);
    expect(canRetry({ state: "send-error", ephemeral: true })).toBe(false);
    expect(canRetry({ state: "delivery-error" })).toBe(false);
  });

  it("say why they failed by the kind of the failure, and that no reason is known where none is", () => {
    expect(failureWords({ failure: "too-large" })).toBe("failTooLarge");
    expect(failureWords({})).toBe("requestNoReason");
  });

  it("counts what the network has while it is sent, and what others have after that", () => {
    expect(partsDone(request("sending", { confirmed: 3, acknowledged: 1 }))).toEqual({ done: 3, total: 4 });
    expect(partsDone(request("sent", { confirmed: 4, acknowledged: 1 }))).toEqual({ done: 1, total: 4 });
    expect(partsDone(request("sending", { confirmed: 5 }))).toEqual({ done: 4, total: 4 });
  });

  it("is counted by state, in the order in which a message passes them", () => {
    const requests = [request("delivered"), request("send-error"), request("queued"), request("delivered")];
    expect(countStates(requests)).toEqual([
      ["queued", 1],
      ["delivered", 2],
      ["send-error", 1],
    ]);
  });

  it("is never whole before everything is done", () => {
    expect(percent({ done: 999, total: 1_000 })).toBe(99);
    expect(percent({ done: 1_000, total: 1_000 })).toBe(100);
    expect(percent({ done: 0, total: 0 })).toBe(0);
  });
});

describe("amounts of data", () => {
  it.each([
    [1, "1 byte"],
    [999, "999 bytes"],
    [1_234, "1.2 kB"],
    [310_000, "310 kB"],
    [999_999, "1 MB"],
    [10_485_760, "10 MB"],
  ])("%d reads %s", (count, words) => {
    expect(createFormats("en").bytes(count)).toBe(words);
  });
});
