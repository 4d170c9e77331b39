import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { LockedChannels } from "../../../src/channel/locked-channels.ts";
import { ok } from "../../../src/common/result.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

const KEY = { origin: ORIGIN, channelId: "room" };

describe("channels of a locked vault", () => {
  async function locked(): Promise<{ alice: Peer; channels: LockedChannels; network: FakeNetwork }> {
    const network = new FakeNetwork(new VirtualClock());
    const alice = await Peer.start("alice", network);
    await alice.open();
    await alice.open("closed", "/test/1/closed/proto");
    await alice.manager.closeChannel({ ...KEY, channelId: "closed" }, "page");
    await alice.manager.rename(KEY, "The shed");
    await alice.send("written before");
    await network.settle();
    return { alice, channels: await alice.lock(), network };
  }

  test("show what there is and in which state, and nothing that was written", async () => {
    const { channels } = await locked();
    expect(new Map(channels.summaries().map(({ label, status }) => [label, status.state]))).toEqual(
      new Map([
        ["The shed", "opening"],
        ["closed", "closed"],
      ]),
    );
    expect(channels.channels(ORIGIN).map((channel) => channel.getChannelId())).toEqual(["room"]);
    expect(channels.channels("https://other.example")).toEqual([]);
    expect(await channels.channel(KEY)?.history()).toEqual([]);
  });

  test("keep pages attached, and refuse whatever would read or write content", async () => {
    const { channels } = await locked();
    const params = { ...KEY, contentTopic: TOPIC, encryption: "none" as const };
    expect(await channels.attach(params)).toMatchObject({ ok: true });
    expect(await channels.attach({ ...params, contentTopic: "/test/1/x/proto" })).toMatchObject({
      error: { kind: "mismatch" },
    });
    const refusals = [channels.send(), channels.createReliableChannel(), channels.channel(KEY)?.retry()];
    for (const refused of refusals) expect(await refused).toMatchObject({ ok: false, error: { kind: "locked" } });
  });

  test("lose nothing: once unlocked, everything is there", async () => {
    const { alice, network } = await locked();
    await alice.restart();
    await network.settle();
    expect((await alice.log()).map(({ type }) => type)).toEqual(["reliable:message:sent"]);
    expect(await alice.manager.closeChannel(KEY, "page")).toEqual(ok(undefined));
  });
});
