/** The parameters of a channel: whether they make sense, and whether they are the ones of a channel that is there. */
import { contentTopicProblem } from "../common/content-topic.ts";
import { LIMITS } from "../limits.ts";
import type { ChannelRow } from "./rows.ts";
import type { ChannelError, ChannelParams } from "./types.ts";

/** Why no channel can have these parameters; `undefined` if one can. */
export function parameterProblem(params: ChannelParams): ChannelError | undefined {
  const { channelId, contentTopic, senderId } = params;
  const limit = LIMITS.sds.identifierBytes;
  for (const [name, value] of Object.entries({ channelId, senderId: senderId ?? "-", contentTopic })) {
    if (value.length === 0) return { kind: "invalid", message: `${name} is empty` };
    if (new TextEncoder().encode(value).length > limit) {
      return { kind: "invalid", message: `${name} is longer than ${limit} bytes`, limit };
    }
  }
  const problem = contentTopicProblem(contentTopic);
  return problem === undefined ? undefined : { kind: "invalid", message: problem };
}

/**
 * Why they are not those of the channel, naming every one that differs; `undefined` if they are. What is left out matches
 * anything, and a channel that is prepared has no sender id yet that others would have to match.
 */
export function mismatch(row: ChannelRow, params: ChannelParams): ChannelError | undefined {
  const { contentTopic, senderId, profile, encryption, placement } = row;
  const differs = [
    params.contentTopic === contentTopic ? undefined : "contentTopic",
    row.prepared || (params.senderId ?? senderId) === senderId ? undefined : "senderId",
    (params.profile ?? profile) === profile ? undefined : "profile",
    params.encryption === encryption ? undefined : "encryption",
    (params.placement ?? placement) === placement ? undefined : "placement",
  ].filter((name) => name !== undefined);
  if (differs.length === 0) return undefined;
  return { kind: "mismatch", message: `channel ${params.channelId} exists with another ${differs.join(", ")}` };
}

/** The row of a prepared channel once its site took it up, under the sender id that the site names, if it names one. */
export function takenUp({ prepared: _, ...row }: ChannelRow, senderId = row.senderId): ChannelRow {
  return { ...row, senderId };
}
