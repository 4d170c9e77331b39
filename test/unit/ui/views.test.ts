import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConnectionStatus, TopicHealth } from "../../../src/channel/ports.ts";
import type { ChannelSummary } from "../../../src/channel/types.ts";
import { listChannels, sameChannel } from "../../../src/ui/channel-list.ts";
import { FIRST_PLACE, type PopupPlace, parsePlace, TABS, tabByKey } from "../../../src/ui/popup-place.ts";
import { channelWords, headerWords, networkWords } from "../../../src/ui/status.ts";

function network(status: ConnectionStatus, bootstrap = ["/ip4/127.0.0.1/tcp/1/ws"]) {
  return {
    status,
    peers: { lightpush: 0, filter: 0, store: 0 },
    config: { name: "n", clusterId: 1, shards: 8, bootstrap },
  };
}

describe("the words of the network", () => {
  it.each([
    ["Connected", true, "networkConnected", "good"],
    ["Connected", false, "networkConnected", "good"],
    ["PartiallyConnected", true, "networkPartly", "warn"],
    ["Disconnected", true, "networkReconnecting", "busy"],
    ["Disconnected", false, "networkOffline", "bad"],
  ] as const)("%s with the device online: %s", (status, online, label, tone) => {
    expect(networkWords(network(status), online)).toMatchObject({ label, tone });
  });

  it("say what to do where there is no address to start from", () => {
    expect(networkWords(network("Disconnected", []), true)).toEqual({
      label: "networkOffline",
      detail: "networkNoBootstrapDetail",
      tone: "bad",
    });
  });

  it("do not pretend to know before the background told", () => {
    expect(networkWords(undefined, true)).toMatchObject({ label: "networkUnknown", tone: "busy" });
  });

  it("the header says that it is locked, however the network is", () => {
    const connected = networkWords(network("Connected"), true);
    expect(headerWords(connected, true)).toEqual({ label: "lockedTitle", tone: "idle" });
    expect(headerWords(connected, false)).toBe(connected);
  });
});

describe("the words of a channel", () => {
  it("differ in words and in shape for every health of an open channel", () => {
    const healths: TopicHealth[] = ["SUFFICIENTLY_HEALTHY", "MINIMALLY_HEALTHY", "UNHEALTHY", "NOT_SUBSCRIBED"];
    const words = healths.map((health) => channelWords({ state: "open", health, pending: 0 }));
    expect(new Set(words.map(({ label }) => label)).size).toBe(4);
    expect(new Set(words.map(({ tone }) => tone)).size).toBe(4);
  });

  it("tell of opening and closed before health", () => {
    expect(channelWords({ state: "opening", health: "UNHEALTHY", pending: 0 }).label).toBe("stateOpening");
    expect(channelWords({ state: "closed", health: "SUFFICIENTLY_HEALTHY", pending: 0 }).label).toBe("stateClosed");
  });
});

function channel(channelId: string, origin: string, lastActiveAt: number): ChannelSummary {
  return {
    channelId,
    origin,
    contentTopic: `/app/1/${channelId}/proto`,
    senderId: "s",
    profile: "logos",
    encryption: "none",
    placement: "envelope",
    earlierKeyIds: [],
    label: channelId,
    createdAt: 0,
    lastActiveAt,
    status: { state: "open", health: "UNHEALTHY", pending: 0 },
    unacknowledged: 0,
    members: 0,
  };
}

describe("the list of channels", () => {
  const garden = channel("garden", "https://a.example", 1);
  const lobby = channel("Lobby", "https://b.example", 3);
  const other = channel("lobby", "https://a.example", 2);
  const all = [garden, lobby, other];

  it("has the last active first", () => {
    expect(listChannels(all, "")).toEqual([lobby, other, garden]);
  });

  it("finds by name, topic and site, in any case, every word", () => {
    expect(listChannels(all, "lobby")).toEqual([lobby, other]);
    expect(listChannels(all, "LOBBY  a.example")).toEqual([other]);
    expect(listChannels(all, "/garden/")).toEqual([garden]);
    expect(listChannels(all, "lobby garden")).toEqual([]);
  });

  it("tells channels of one name on two sites apart", () => {
    expect(sameChannel(garden, { origin: "https://a.example", channelId: "garden" })).toBe(true);
    expect(sameChannel(garden, { origin: "https://b.example", channelId: "garden" })).toBe(false);
  });
});

describe("the popup's place", () => {
  it("comes back as it was left, drafts included", () => {
    const place: PopupPlace = {
      tab: "network",
      channel: { origin: "https://a.example", channelId: "garden" },
      channelForm: "create",
      keyForm: "import",
      key: "k1",
      drafts: { channelId: "half ty" },
      search: "gar",
      network: { preset: "custom", name: "half ty", clusterId: "4", shards: "", bootstrap: "/ip4" },
      budget: { enabled: true, messages: "5", seconds: "" },
    };
    expect(parsePlace(JSON.parse(JSON.stringify(place)))).toEqual(place);
  });

  it("is the first one where what is stored cannot be read", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (stored) => {
        expect(parsePlace(stored)).toEqual(FIRST_PLACE);
      }),
    );
    expect(parsePlace(undefined)).toEqual(FIRST_PLACE);
    expect(parsePlace({ ...FIRST_PLACE, tab: "settings" })).toEqual(FIRST_PLACE);
  });

  it("walks through its tabs by arrow keys, around the ends", () => {
    expect(TABS.map((tab) => tabByKey(tab, "ArrowRight"))).toEqual([
      "keys",
      "activity",
      "sites",
      "network",
      "channels",
    ]);
    expect(TABS.map((tab) => tabByKey(tab, "ArrowLeft"))).toEqual(["network", "channels", "keys", "activity", "sites"]);
    expect(tabByKey("sites", "Home")).toBe("channels");
    expect(tabByKey("sites", "End")).toBe("network");
    expect(tabByKey("sites", "Tab")).toBeUndefined();
  });
});
