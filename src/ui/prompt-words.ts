/** What a prompt asks for, in words that say neither more nor less than what is allowed with it. */
import type { UiPrompt, UiScope } from "./background-api.ts";
import type { MessageKey, PluralKey } from "./translate.ts";

/** What the site wants to do. A prompt has one scope at least, and all of them where it is for a channel. */
export function askWords({ scopes, channel }: Pick<UiPrompt, "scopes" | "channel">): MessageKey {
  if (channel !== undefined) return "promptAsksChannel";
  const [open, send, receive] = (["channel:create", "channel:send", "channel:receive"] satisfies UiScope[]).map(
    (scope) => scopes.includes(scope),
  );
  if (open) {
    if (send && receive) return "promptAsksOpenUse";
    if (send) return "promptAsksOpenSend";
    return receive ? "promptAsksOpenReceive" : "promptAsksOpen";
  }
  if (send && receive) return "promptAsksUse";
  return send ? "promptAsksSend" : "promptAsksReceive";
}

/** How far that goes where there are `contentTopics`. A grant is no channel's, but the site's: with the channel, others are allowed. */
export function topicWords({ channel }: Pick<UiPrompt, "channel">): PluralKey {
  return channel === undefined ? "promptTopics" : "promptAlsoTopics";
}

/** The content topics to list. That of the channel stands beside the channel. */
export function listedTopics({
  channel,
  contentTopics = [],
}: Pick<UiPrompt, "channel" | "contentTopics">): readonly string[] {
  return contentTopics.every((topic) => topic === channel?.contentTopic) ? [] : contentTopics;
}
