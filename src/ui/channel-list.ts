import type { ChannelKey, ChannelSummary } from "../channel/types.ts";
import type { UiChannelDetails } from "./background-api.ts";

/** One string per channel, for keyed lists. An origin holds no line break. */
export function channelName(key: ChannelKey): string {
  return `${key.origin}\n${key.channelId}`;
}

export function sameChannel(a: ChannelKey, b: ChannelKey): boolean {
  return a.origin === b.origin && a.channelId === b.channelId;
}

export function detailsOf(channel: ChannelKey, details: readonly UiChannelDetails[]): UiChannelDetails | undefined {
  return details.find((candidate) => sameChannel(candidate.channel, channel));
}

/** What the person calls the channel. */
export function labelOf(channel: ChannelKey, details: readonly UiChannelDetails[]): string {
  return detailsOf(channel, details)?.label ?? channel.channelId;
}

/** The channels that hold every word of the query in their name, label, topic or site, the last active first. */
export function listChannels(
  channels: readonly ChannelSummary[],
  query: string,
  details: readonly UiChannelDetails[] = [],
): readonly ChannelSummary[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return channels
    .filter((channel) => {
      const text = [channel.channelId, labelOf(channel, details), channel.contentTopic, channel.origin]
        .join("\n")
        .toLowerCase();
      return words.every((word) => text.includes(word));
    })
    .toSorted((a, b) => b.lastActiveAt - a.lastActiveAt || channelName(a).localeCompare(channelName(b)));
}
