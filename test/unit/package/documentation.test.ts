/** What the documentation for web developers says of errors and limits is what the code does. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { createMockNetwork } from "../../../packages/reliable-channel/mock/index.ts";
import type { ChannelErrorKind, RequestFailureKind } from "../../../src/channel/types.ts";
import { LIMITS, PAGE_LIMITS } from "../../../src/limits.ts";
import { failureCode, fromChannelError } from "../../../src/provider/failures.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { MAX_MESSAGE_BYTES } from "../../../src/provider/server.ts";
import { readPage, tableOf } from "../../support/markdown-examples.ts";

const FOLDER = "docs/developers";
const ERRORS = `${FOLDER}/errors.md`;
const SEND = `${FOLDER}/send.md`;
const RECEIVE = `${FOLDER}/receive.md`;
const ENCRYPTION = "docs/encryption.md";

const words = (count: number): string => count.toLocaleString("en-US");
const time = (ms: number): string => {
  const units = [
    ["days", 86_400_000],
    ["min", 60_000],
    ["s", 1000],
  ] as const;
  const [name, unit] = units.find(([, unit]) => ms % unit === 0) ?? ["ms", 1];
  return `${ms / unit} ${name}`;
};

describe("errors by code", () => {
  const rows = tableOf(ERRORS, "code | name | retryable");
  const documented = rows.map(([code, name = ""]) => [name.replaceAll("`", ""), Number(code)]);
  const retryable = new Map(rows.map(([code, , retryable]) => [Number(code), retryable === "yes"]));

  test("are all there, by their names, each with what to do", () => {
    expect(Object.fromEntries(documented)).toEqual(ErrorCode);
    expect(documented).toHaveLength(Object.keys(ErrorCode).length);
    for (const row of rows) expect(row.filter((cell) => cell.length > 1)).toHaveLength(5);
  });

  test("are as retryable as they say, in the extension and in the mock", async () => {
    // A channel that exists is attached to: no page ever hears of that.
    const kinds = {
      "empty-payload": true,
      "payload-too-large": true,
      "unknown-channel": true,
      closed: true,
      mismatch: true,
      limit: true,
      unsupported: true,
      "key-required": true,
      locked: true,
      invalid: true,
    } satisfies Partial<Record<ChannelErrorKind, true>>;
    for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
      const { error } = fromChannelError({ kind, message: "" });
      expect(retryable.get(error.code), kind).toBe(error.retryable);
    }
    await using network = createMockNetwork();
    const alice = network.createProvider();
    for (const code of Object.values(ErrorCode)) {
      alice.fail("connect", code);
      const error = await alice.provider.connect().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code, retryable: retryable.get(code) });
    }
  });

  test("of events are those that events have", () => {
    const kinds: Readonly<Record<RequestFailureKind, true>> = {
      unreachable: true,
      unacknowledged: true,
      "too-large": true,
      refused: true,
      "queue-full": true,
      "rate-limit": true,
      encryption: true,
      "not-kept": true,
      internal: true,
    };
    const codes = tableOf(ERRORS, "code | name | what happened");
    expect(new Set(codes.map(([code]) => Number(code)))).toEqual(
      new Set((Object.keys(kinds) as RequestFailureKind[]).map(failureCode)),
    );
    for (const [code, name = ""] of codes) {
      expect(Object.entries(ErrorCode)).toContainEqual([name.replaceAll("`", ""), Number(code)]);
    }
  });
});

describe("limits", () => {
  const { origin, provider, segmentation, eventLog, finalRequests, messaging, sds, storage } = LIMITS;

  test("are the numbers of the code", () => {
    const rows = tableOf(`${FOLDER}/limits.md`, "what | limit | beyond it");
    expect(rows.map(([what, limit]) => [what, limit])).toEqual([
      ["bytes of a message", words(MAX_MESSAGE_BYTES)],
      ["bytes of a message with the profiles `logos-raw` and `waku-sdk`", words(segmentation.rawBytes)],
      [
        "bytes of `channelId`, `contentTopic`, `senderId`, `idempotencyKey` in UTF-8, each",
        words(Math.min(provider.textBytes, sds.identifierBytes)),
      ],
      ["open channels of a site", words(origin.channels)],
      ["channels of a site, closed ones included", words(origin.storedChannels)],
      ["messages of a site that are being sent", words(origin.pendingRequests)],
      ["bytes of a site that are being sent", words(origin.pendingBytes)],
      ["messages of a channel that `request()` and `idempotencyKey` know after their end", words(finalRequests.most)],
      ["calls of a page under way", words(provider.callsPerPage)],
      ["calls that wait for one prompt", words(provider.callsPerPrompt)],
      ["content topics in `connect`", words(provider.contentTopics)],
      [
        `prompts that were refused, or that the page gave up, within ${time(origin.refusalWindowMs)}`,
        words(origin.refusals),
      ],
      ["events in the log of a channel", words(eventLog.events)],
      ["bytes of messages in the log of a channel", words(eventLog.bytes)],
      ["bytes stored for all sites together", `${words(storage.bytes)}, or half of what the browser grants`],
    ]);
    expect(storage.ofQuota).toBe(1 / 2);
    expect(rows.at(-4)?.[2]).toBe(`\`LimitExceeded\` for ${time(origin.refusalBlockMs)}`);
    expect(readPage(SEND)).toContain(`${words(MAX_MESSAGE_BYTES)} bytes`);
    expect(readPage(RECEIVE)).toContain(`room for ${words(eventLog.events)} events`);
  });

  test("of time are those of the code", () => {
    const rows = tableOf(`${FOLDER}/limits.md`, "how long | time");
    expect(rows.map(([, limit]) => limit)).toEqual([
      time(PAGE_LIMITS.unreachableMs),
      time(messaging.offlineMs),
      time(LIMITS.intake.unattendedMs),
      time(sds.lostAfterMs),
      time(LIMITS.keptResultsMs),
    ]);
  });
});

test("the numbers of encryption are those of the code", () => {
  const page = readPage(ENCRYPTION).replaceAll(/\s+/g, " ");
  const { parked, keys } = LIMITS;
  expect(keys.earlierKeys).toBe(8);
  for (const said of [
    `1 to ${words(PAGE_LIMITS.cipherOutputBytes)} bytes, or a promise of one, within ${LIMITS.provider.cipherMs / 1000} seconds`,
    `${parked.bytes / 2 ** 20} MiB or ${words(parked.messages)} messages for each channel`,
    "The eight keys before it",
  ]) {
    expect(page).toContain(said);
  }
});

test("the pages name each other and files that are there", () => {
  const pages = ["README", "connect", "send", "receive", "errors", "limits", "testing"].map(
    (name) => `${FOLDER}/${name}.md`,
  );
  for (const page of [...pages, ENCRYPTION, "packages/reliable-channel/README.md"]) {
    const links = [...readPage(page).matchAll(/\]\((?!https:)([^)#]+)/g)].map(([, link = ""]) => link);
    const root = join(import.meta.dirname, "../../..");
    expect(
      links.filter((link) => !existsSync(join(root, dirname(page), link))),
      page,
    ).toEqual([]);
  }
});
