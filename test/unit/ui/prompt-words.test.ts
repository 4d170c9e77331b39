import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { UiPrompt, UiScope } from "../../../src/ui/background-api.ts";
import { askWords, listedTopics, topicWords } from "../../../src/ui/prompt-words.ts";

const TOPIC = "/app/1/room/proto";
const ALL: readonly UiScope[] = ["channel:create", "channel:send", "channel:receive"];
const channel: NonNullable<UiPrompt["channel"]> = {
  channelId: "room",
  contentTopic: TOPIC,
  encryption: "none",
  profile: "logos",
};
const english: Readonly<Record<string, { readonly message: string }>> = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../../public/_locales/en/messages.json"), "utf8"),
);

describe("the words of a prompt", () => {
  it.each([
    [ALL, /open channels.* send and receive messages/],
    [["channel:create", "channel:send"], /open channels.* send messages.* not to receive/],
    [["channel:create", "channel:receive"], /open channels.* receive messages.* not to send/],
    [["channel:create"], /open channels.* neither to send nor to receive/],
    [["channel:send", "channel:receive"], /send and receive messages.* not to open/],
    [["channel:send"], /^It wants to send messages .* nothing else\.$/],
    [["channel:receive"], /^It wants to receive messages .* nothing else\.$/],
  ] satisfies [readonly UiScope[], RegExp][])("say of %j what is allowed with it and what is not", (scopes, words) => {
    expect(english[askWords({ scopes })]?.message).toMatch(words);
    // In whatever order the page named them.
    expect(askWords({ scopes: scopes.toReversed() })).toBe(askWords({ scopes }));
  });

  it("differ for each combination", () => {
    const combinations = Array.from({ length: 7 }, (_, i) => ALL.filter((_, bit) => (i + 1) & (1 << bit)));
    expect(new Set(combinations.map((scopes) => askWords({ scopes }))).size).toBe(7);
  });

  it("say of a channel that others are allowed with it", () => {
    expect(askWords({ scopes: ALL, channel })).toBe("promptAsksChannel");
    expect(english["promptAlsoOthers"]?.message).toMatch(/also open and use other channels/);
    for (const form of ["one", "other"]) {
      expect(english[`${topicWords({ channel })}_${form}`]?.message).toMatch(/also open and use other channels on th/);
      expect(english[`${topicWords({})}_${form}`]?.message).toMatch(/only:$/);
    }
  });

  it("list the topics that all of it is limited to, but not the one that stands beside the channel", () => {
    const contentTopics = [TOPIC, "/app/1/hall/proto"];
    expect(listedTopics({})).toEqual([]);
    expect(listedTopics({ contentTopics: [TOPIC] })).toEqual([TOPIC]);
    expect(listedTopics({ channel })).toEqual([]);
    expect(listedTopics({ channel, contentTopics: [TOPIC] })).toEqual([]);
    expect(listedTopics({ channel, contentTopics })).toEqual(contentTopics);
  });
});
