import { utils } from "@waku/sdk";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pubsubTopicOf, shardOf, shardOfPubsubTopic } from "../../../src/messaging/content-topic.ts";

describe("content topics", () => {
  test("the shard is the one that @waku/sdk computes", () => {
    const part = fc.string({ minLength: 1, maxLength: 10, unit: "grapheme" }).filter((text) => !text.includes("/"));
    fc.assert(
      fc.property(part, part, part, part, fc.integer({ min: 1, max: 1024 }), (app, version, name, encoding, shards) => {
        const topic = `/${app}/${version}/${name}/${encoding}`;
        expect(shardOf(topic, shards)).toEqual({ ok: true, value: utils.contentTopicToShardIndex(topic, shards) });
        expect(shardOf(`/0${topic}`, shards)).toEqual(shardOf(topic, shards));
      }),
      { numRuns: 50 },
    );
  });

  test.each(["", "/", "app/1/name/proto", "/app/1/name", "/app//name/proto", "/1/app/1/name/proto", "/a/b/c/d/e/f"])(
    "%j is none",
    (topic) => {
      expect(shardOf(topic, 8).ok).toBe(false);
    },
  );

  test("a pubsub topic names its shard only within its cluster", () => {
    expect(shardOfPubsubTopic(42, pubsubTopicOf(42, 7))).toBe(7);
    expect(shardOfPubsubTopic(1, pubsubTopicOf(42, 7))).toBeUndefined();
    expect(shardOfPubsubTopic(42, "/waku/2/rs/42/x")).toBeUndefined();
  });
});
