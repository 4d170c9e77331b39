import type { ChannelKey, ChannelSummary } from "../channel/types.ts";

/** One string per channel, for keyed lists. An origin holds no line break. */
export function channelName(key: ChannelKey): string {
  return `${key.origin}\n${key.channelId}`;
}

export function sameChannel(a: ChannelKey, b: ChannelKey): boolean {
  return a.origin === b.origin && a.channelId === b.channelId;
}

/** The channels that hold every word of the query in their name, topic or site, the last active first. */
export function listChannels(channels: readonly ChannelSummary[], query: string): readonly ChannelSummary[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return channels
    .filter((channel) => {
      const text = `${channel.channelId}\n${channel.contentTopic}\n${channel.origin}`.toLowerCase();
      return words.every((word) => text.includes(word));
    })
    .toSorted((a, b) => b.lastActiveAt - a.lastActiveAt || channelName(a).localeCompare(channelName(b)));
}
